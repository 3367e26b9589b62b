"""Makes text that a stranger typed safe for a mail.

A guest chooses the address to which our mail goes and the name in it. With a link in the name the
mail would be an advertisement from our sender, which passes every spam filter. So all text of
strangers (names, lines of an address, reasons) goes through `without_links`, in bodies and in
subjects: whatever a mail program would make clickable is removed or broken, and long text is cut.
"""

import re
import unicodedata

LONGEST = 80  # characters; a line of an address on a label is shorter

# Longer text is cut before the work: the result would be cut anyway.
READ = 1000
# Characters that IDNA treats as dots, beyond those that NFKC turns into ".".
_DOTS = str.maketrans({"。": ".", "․": ".", "﹒": "."})
# A word that contains this is a link, and is removed.
_LINK = re.compile(
    r"[:/\\][/\\]|\bwww\.|@.*\."
    r"|\b(?:mailto|tel|sms|callto|skype|facetime|geo|data|javascript|intent):",
    re.IGNORECASE,
)
_TELEPHONE = re.compile(r"\+\s?\d(?:[\s().-]{0,3}\d){6,}")
_QUAD = re.compile(r"\d+(?:\.\d+){3}")
# "evil.example": a dot before two letters or more. "J.R.R." keeps its dots.
_DOMAIN = re.compile(r"(?<=\w)\.+(?=[^\W\d_][\w-])")
_SIGNS = re.compile(r"[@\\]|//+|:(?=\S)")  # without these there is no link


def without_links(text: str, *, longest: int = LONGEST) -> str:
    """`text` on one line, without anything clickable, at most `longest` characters.

    NFKC first, so that full-width characters are checked as a mail program would read them. Control
    characters and line breaks become spaces; invisible characters are removed.
    """
    plain = unicodedata.normalize("NFKC", text[:READ])[:READ].translate(_DOTS)
    plain = "".join(map(_visible, plain))
    plain = " ".join(word for word in plain.split() if not _LINK.search(word))
    plain = _TELEPHONE.sub(" ", plain)
    plain = _QUAD.sub(lambda found: found[0].replace(".", " "), plain)
    plain = " ".join(_SIGNS.sub(" ", _DOMAIN.sub(" ", plain)).split())
    return plain if len(plain) <= longest else plain[: longest - 1].rstrip() + "…"


def _visible(character: str) -> str:
    match unicodedata.category(character):
        case "Cc" | "Zl" | "Zp" | "Zs":
            return " "
        case "Cf" | "Cs" | "Co" | "Cn":
            return ""
    return character
