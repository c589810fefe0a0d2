"""The words of dates in English, German, French, Italian, Dutch and Spanish, in small letters without accents and full
stops, as patterns that `ingest.tables.dates` puts together. An apostrophe has become a blank."""

from __future__ import annotations


def _any(text: str) -> str:
    """A pattern for one of these, which are divided by bars."""
    return f"(?:{text})"


ABOUT = _any(
    "c|ca|cca|cir|circ|circa|about|around|approx|approximately|appr|roughly|probably|prob|presumably|possibly|poss|perhaps"
    "|likely|estimated|est|um|gegen|etwa|wohl|vermutl|vermutlich|wahrscheinlich|wahrsch|ungefahr|zirka|um circa"
    "|vers|env|environ|autour de|peut-etre|probablement|hacia|alrededor de|cerca de|probablemente|verso|verso il|intorno al"
    "|forse|probabilmente|rond|omstreeks|ongeveer|circa het|waarschijnlijk|mogelijk"
)
ABOUT_BEHIND = _any(
    "(?<=[0-9]{3} )c|ca|cir|circ|circa|approx|approximately|appr|zirka|env|environ|probably|possibly|aprox|ongeveer|etwa|est|estimated"
)
DONE = _any(
    "(?:(?:first |1st )?(?:published|publ|pub|printed|dated|made|executed|painted|photographed|created|issued|engraved"
    "|drawn|designed|cast|built|composed|inscribed|taken|copyright|copyrighted|erschienen|gedruckt|datiert|dat|gemalt"
    "|entstanden|gezeichnet|hergestellt|veroffentlicht|aufgenommen|publie|publiee|imprime|imprimee|peint|peinte|date|datee"
    "|execute|realise|fait|stampato|stampata|dipinto|datato|datata|pubblicato|eseguito|realizzato|publicado|publicada|fechado|fechada"
    "|pintado|impreso|realizado|gedateerd|gedrukt|uitgegeven|geschilderd|vervaardigd|gemaakt)"
    "(?: (?:in|im|en|nel|il|el|on|by))?(?: (?:the|dem|l))?(?: (?:year|jahr|jahre|an|annee|anno|ano|jaar))?"
    "|(?:in|im|en|nel|nell|dans|anno|l|het)(?! (?:or|oder|ou|o|of) )(?: (?:the|dem|l|el|het))?(?: (?:year|jahr|jahre|an|annee|anno|ano|jaar))?"
    "|(?:the )?year|jahr|jahre|(?:l )?annee|(?:l )?anno|ano|jaar)"
)
UNDATED = _any(
    "|n ?d|no date|undated|not dated|date unknown|unknown date|unknown|unspecified|date not known|not known|none|n/?a"
    "|o ?j|o ?d|ohne jahr|ohne datum|undatiert|nicht datiert|unbekannt|datum unbekannt|s ?d|s ?a|sans date|non date|non datee"
    "|date inconnue|inconnue?|senza data|non datato|ignota?|sconosciut[ao]|sin fecha|s ?f|desconocid[ao]|z ?j|zonder jaar"
    "|zonder datum|ongedateerd|onbekend|sine anno|sine dato|-+"
)

MONTH = _any(
    "january|janvier|januar|januari|janner|gennaio|enero|jan|february|fevrier|februar|februari|febbraio|febrero|feb|fev"
    "|febr|march|mars|marz|maerz|marzo|maart|mar|mrz|mrt|april|avril|aprile|abril|apr|avr|may|mai|maggio|mayo|mei"
    "|june|juin|juni|giugno|junio|jun|july|juillet|juli|luglio|julio|jul|juil|august|aout|agosto|augustus|aug"
    "|september|septembre|settembre|septiembre|sept|sep|october|octobre|oktober|ottobre|octubre|oct|okt"
    "|november|novembre|noviembre|nov|december|decembre|dezember|dicembre|diciembre|dec|dez"
)
SEASON = _any(
    "spring|summer|autumn|fall|winter|fruhling|fruhjahr|sommer|herbst|printemps|ete|automne|hiver|primavera|estate"
    "|autunno|inverno|verano|otono|invierno|lente|voorjaar|zomer|herfst|najaar|christmas|easter|ostern|weihnachten"
)

_BC = r"b ?c(?: ?e)?|v ?chr|vor chr|vor christus|vor christi geburt|v ?u ?z|av ?j ?-?c|avant j ?-?c|avant jesus[ -]christ|a ?c(?: ?n)?|avanti cristo|antes de cristo|a ?de c|voor christus"
_AD = r"a ?d|c ?e|n ?chr|nach chr|nach christus|nach christi geburt|n ?u ?z|ap ?j ?-?c|apres j ?-?c|apres jesus[ -]christ|d ?c|dopo cristo|despues de cristo|d ?de c|na christus"
ERAS = (
    (rf"(.+?)[ ,]+(?:{_BC})", -1),
    (r"(?:b ?c|bce) (.+)", -1),
    (rf"(.+?)[ ,]+(?:{_AD})", 1),
    (r"(?:a ?d|ce|anno domini) (.+)", 1),
)  # fmt: skip

CENTURY = _any(
    "century|centuries|cent|cents|c|cty|jh|jhd|jhs|jhdt|jahrh|jahrhundert|jahrhunderts|jahrhunderte|siecles?|s|secolo|secoli|sec|siglos?|eeuw|eeuws|eeuwse"
)
CENTURY_BEFORE = _any("siecles?|secolo|secoli|sec|s|siglos?|saec|saeculum")
MILLENNIUM = _any(
    "millennium|millennia|millenium|mill|jahrtausend|jahrtausends|jt|jtsd|millenaire|millennio|milenio|millennium"
)
ORDINAL_END = "(?:st|nd|rd|th|er|re|eme|e|o|de|ste|a|mo)?"
ORDINAL_NAMES = [
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
    "thirteenth",
    "fourteenth",
    "fifteenth",
    "sixteenth",
    "seventeenth",
    "eighteenth",
    "nineteenth",
    "twentieth",
    "twenty-first",
    "premier",
    "deuxieme",
    "troisieme",
    "quatrieme",
    "cinquieme",
    "sixieme",
    "septieme",
    "huitieme",
    "neuvieme",
    "dixieme",
    "onzieme",
    "douzieme",
    "treizieme",
    "quatorzieme",
    "quinzieme",
    "seizieme",
    "dix-septieme",
    "dix-huitieme",
    "dix-neuvieme",
    "vingtieme",
    "vingt-et-unieme",
]
ORDINALS = _any("|".join(sorted(ORDINAL_NAMES, key=len, reverse=True)))
ITALIAN_CENTURIES = [
    "duecento",
    "trecento",
    "quattrocento",
    "cinquecento",
    "seicento",
    "settecento",
    "ottocento",
    "novecento",
]
ITALIAN = _any("|".join(ITALIAN_CENTURIES))

CONNECTING = _any(
    "(?:(?:of the|of|des|du|de la|de l|dela|del|dello|dell|della|degli|degli anni|de los|de las|de|di|im|in the|in|der|dem|van de|van het|van|the|las?|les?|il|el|het) )*"
)
_FIRST = _any("1st|first|1|1\\.|erste[snr]?|1re|1ere|1er|premiere?|prima|primo|primera?|primer|eerste|1e")
_SECOND = _any("2nd|second|2|2\\.|zweite[snr]?|2e|2de|2eme|deuxieme|seconde?|seconda|secondo|segunda?|segundo|tweede")
_THIRD = _any("3rd|third|3|3\\.|dritte[snr]?|3e|3eme|troisieme|terzo|tercero?|tercer|derde")
_LAST = _any("4th|fourth|last|4|4\\.|vierte[snr]?|letzte[snr]?|4e|dernier|ultimo|ultimo|laatste|vierde|quarto|cuarto")
_HALF = _any("half|halfte|moitie|meta|mitad|helft|h")
_QUARTER = _any("quarter|viertel|quart|quarto|cuarto|kwart|v")
_A_THIRD = _any("third|drittel|tiers|terzo|tercio|d")
PARTS = (  # of a century: words, from, to, in hundredths
    (rf"{_FIRST} {_HALF}", 0, 50),
    (rf"(?:{_SECOND}|last|letzte|laatste|derniere) {_HALF}", 50, 100),
    (rf"{_FIRST} {_QUARTER}", 0, 25),
    (rf"{_SECOND} {_QUARTER}", 25, 50),
    (rf"{_THIRD} {_QUARTER}", 50, 75),
    (rf"{_LAST} {_QUARTER}", 75, 100),
    (rf"{_FIRST} {_A_THIRD}", 0, 33),
    (rf"{_SECOND} {_A_THIRD}", 33, 66),
    (rf"(?:{_THIRD}|last|letztes|dernier) {_A_THIRD}", 66, 100),
    (r"(?:early|beginning|begin|start|anfang|beginn|fruhe[sn]?|debut|inizio|inizi|principios?|comienzos|vroege?)", 0, 33),
    (r"(?:mid|middle|mitte|milieu|meta|mediados|medio|midden)", 33, 66),
    (r"(?:late|end|ende|spate[sn]?|fin|fine|finales|fines|eind|einde|laat)", 66, 100),
)  # fmt: skip

_AND_IN = " (?:or|and|oder|und|ou|et|o|e|y|of|en) "
_BEFORE = _any(
    "before|prior to|pre|pre-|ante|terminus ante quem|antea|vor|avant|prima del|prima di|antes de|antes del|voor"
)
_BEFORE_IN = _any(
    "not after|no later than|not later than|until|up to|by|bis|spatestens|nicht nach|jusqu a|jusqu en|au plus tard|au plus tard en|entro|entro il|non oltre|fino al"
    "|hasta|uiterlijk|niet na|tot"
    "|(?:in|on|at) or before|before or in|in oder vor|vor oder um|um oder vor|avant ou en|en ou avant|en o antes de|prima del o nel|in of voor|voor of in"
)
_AFTER = _any("after|post|post-|terminus post quem|nach|apres|dopo|dopo il|despues de|despues del|na")
_AFTER_IN = _any(
    "not before|no earlier than|not earlier than|from|since|ab|seit|fruhestens|nicht vor|depuis|a partir de|a partir du|dal|desde|sinds|vanaf|niet voor"
    "|(?:in|on|at) or after|after or in|in oder nach|nach oder um|um oder nach|apres ou en|en ou apres|en o despues de|in of na|na of in"
)
_EARLIER = _any("earlier|before|previously|fruher|vorher|davor|avant|plus tot|prima|antes|eerder")
_LATER = _any("later|after|afterwards|spater|danach|nachher|apres|plus tard|dopo|despues|posterior|later")
OPEN = (  # pattern, side (before -1, after 1), whether the date itself is among them
    (rf"{_BEFORE_IN} (.+)", -1, True),
    (rf"{_AFTER_IN} (.+?)(?: (?:on|onwards?|an|forward))?", 1, True),
    (rf"{_BEFORE}[ -](.+)", -1, False),
    (rf"{_AFTER}[ -](.+)", 1, False),
    (rf"(.+?){_AND_IN}{_EARLIER}", -1, True),
    (rf"(.+?){_AND_IN}{_LATER}", 1, True),
    (r"(.+?),? (?:onwards?|and onwards?|ff)", 1, True),
)  # fmt: skip
_SOON = _any("shortly|soon|just|kurz|bald|unmittelbar|peu|juste|poco|kort")
SHORTLY = ((rf"{_SOON} {_BEFORE} (.+)", -1), (rf"{_SOON} {_AFTER} (.+)", 1))
BETWEEN = _any("between|zwischen|entre|tra il|tra|fra il|fra|tussen|from|von|de|du|dal|van|desde|sometime between")
