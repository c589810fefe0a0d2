// What is chosen of n points, as short text: the lengths of the runs, not chosen first, as numbers of seven bits a byte.

export function encodeRanges(mask) {
  const bytes = [];
  let length = 0;
  let filled = 0;
  const put = () => {
    for (; length > 127; length >>= 7) bytes.push((length & 127) | 128);
    bytes.push(length);
    length = 0;
  };
  if (!mask.includes(1)) return "";
  for (const value of mask) {
    if (value !== filled) {
      put();
      filled = value;
    }
    length += 1;
  }
  put();
  let text = "";
  for (let at = 0; at < bytes.length; at += 4096) text += String.fromCharCode(...bytes.slice(at, at + 4096));
  return btoa(text);
}

export function decodeRanges(text, n) {
  const mask = new Uint8Array(n);
  let [at, length, shift, filled] = [0, 0, 0, 0];
  for (const byte of decodeBytes(text)) {
    length |= (byte & 127) << shift;
    shift += 7;
    if (byte > 127) continue;
    mask.fill(filled, at, at + length);
    [at, length, shift, filled] = [at + length, 0, 0, 1 - filled];
  }
  return mask;
}

export function decodeBytes(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}
