// Draws pictures with WebGL2: one quad each, all that share a sheet in one call. Frames, rings and fading are opaque, so
// the depth buffer says what lies on top, in whatever order things are drawn.

export const GAP = 2; // pixels of paper within a ring, so that it is told from the frame
export const FLOATS = 13; // a picture: cx cy w h, u0 v0 u1 v1, depth tint frame ring, fade

const VERTEX = `#version 300 es
layout(location = 0) in vec4 place;
layout(location = 1) in vec4 source;
layout(location = 2) in vec4 look;
layout(location = 3) in float fading;
uniform vec2 window;
out vec2 at;
flat out vec2 extent;
flat out vec4 part;
flat out vec3 tint;
flat out vec2 rims;
flat out float fade;
void main() {
  vec2 corner = vec2(gl_VertexID & 1, gl_VertexID >> 1);
  vec2 full = place.zw + 2.0 * (look.z + look.w);
  at = corner * full - (look.z + look.w);
  extent = place.zw;
  part = source;
  float colour = look.y;
  tint = vec3(floor(colour / 65536.0), mod(floor(colour / 256.0), 256.0), mod(colour, 256.0)) / 255.0;
  rims = look.zw;
  fade = fading;
  vec2 pixel = place.xy - 0.5 * full + corner * full;
  gl_Position = vec4(pixel / window * vec2(2.0, -2.0) + vec2(-1.0, 1.0), look.x * 2.0 - 1.0, 1.0);
}`;

const FRAGMENT = `#version 300 es
precision highp float;
in vec2 at;
flat in vec2 extent;
flat in vec4 part;
flat in vec3 tint;
flat in vec2 rims;
flat in float fade;
uniform sampler2D sheet;
uniform vec2 texel;
uniform bool here;
uniform vec3 paper;
uniform vec3 empty;
uniform vec3 accent;
out vec4 colour;
void main() {
  vec2 low = part.xy + texel;
  vec2 place = mix(low, max(low, part.zw - texel), clamp(at / extent, 0.0, 1.0));
  vec3 seen = texture(sheet, place).rgb;
  vec2 beyond = max(-at, at - extent);
  float distance = max(beyond.x, beyond.y);
  vec3 inside = here ? seen : empty;
  vec3 ring = distance <= rims.x + ${GAP}.0 ? paper : accent;
  vec3 shown = distance <= 0.0 ? inside : distance <= rims.x ? tint : ring;
  colour = vec4(mix(shown, paper, fade), 1.0);
}`;

// A painter on this canvas, or null where there is no WebGL2.
export function webglPainter(canvas) {
  const gl = canvas.getContext("webgl2", { antialias: false, alpha: false, powerPreference: "high-performance" });
  return gl && new WebglPainter(canvas, gl);
}

class WebglPainter {
  constructor(canvas, gl) {
    Object.assign(this, { canvas, gl, name: "webgl2", most: Infinity });
    this.start();
  }

  // To be called again when a lost context has come back.
  start() {
    const { gl } = this;
    this.program = linked(gl);
    this.uniforms = Object.fromEntries(
      ["window", "texel", "here", "paper", "empty", "accent"].map((name) => [name, gl.getUniformLocation(this.program, name)]),
    );
    this.buffer = gl.createBuffer();
    this.nothing = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D, this.nothing);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, 1, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array([128, 128, 128, 255]));
    for (let place = 0; place < 4; place++) {
      gl.enableVertexAttribArray(place);
      gl.vertexAttribDivisor(place, 1);
    }
  }

  upload(bitmap) {
    const { gl } = this;
    const texture = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, bitmap);
    gl.generateMipmap(gl.TEXTURE_2D);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR_MIPMAP_NEAREST);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAX_LOD, 2); // smaller ones would mix neighbours on a page
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
    bitmap.close();
    return texture;
  }

  release(texture) {
    this.gl.deleteTexture(texture);
  }

  // `batches`: {sheet or null, first, count} of the pictures in `pictures`; width and height in CSS pixels; colours as
  // three numbers 0..1 each.
  paint(pictures, batches, { width, height, colours }) {
    const { gl, uniforms } = this;
    gl.viewport(0, 0, this.canvas.width, this.canvas.height);
    gl.clearColor(...colours.paper, 1);
    gl.enable(gl.DEPTH_TEST);
    gl.depthFunc(gl.LEQUAL);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.useProgram(this.program);
    gl.uniform2f(uniforms.window, width, height);
    for (const name of ["paper", "empty", "accent"]) gl.uniform3f(uniforms[name], ...colours[name]);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.buffer);
    gl.bufferData(gl.ARRAY_BUFFER, pictures, gl.STREAM_DRAW);
    for (const { sheet, first, count } of batches) {
      gl.bindTexture(gl.TEXTURE_2D, sheet?.texture ?? this.nothing);
      gl.uniform1i(uniforms.here, sheet ? 1 : 0);
      gl.uniform2f(uniforms.texel, sheet ? 0.5 / sheet.width : 0, sheet ? 0.5 / sheet.height : 0);
      [4, 4, 4, 1].forEach((size, place) =>
        gl.vertexAttribPointer(place, size, gl.FLOAT, false, 4 * FLOATS, 4 * (first * FLOATS + 4 * place)),
      );
      gl.drawArraysInstanced(gl.TRIANGLE_STRIP, 0, 4, count);
    }
  }
}

function linked(gl) {
  const program = gl.createProgram();
  for (const [kind, text] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost()) {
    throw new Error(gl.getProgramInfoLog(program) ?? "the shaders do not link");
  }
  return program;
}
