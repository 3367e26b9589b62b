"""Cleans descriptions, which come as HTML from files and forms."""

import re

import nh3

# Allowed in a description. No pictures and no styles: the pages' Content-Security-Policy refuses
# them, and a request for a picture on another host would disclose the visitor to it.
TAGS = {
    *("p", "br", "hr", "h2", "h3", "h4", "blockquote", "pre", "code", "div", "span"),
    *("a", "abbr", "b", "em", "i", "s", "small", "strong", "sub", "sup", "u"),
    *("ul", "ol", "li", "dl", "dt", "dd"),
    *("table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td"),
}
ATTRIBUTES = {"a": {"href", "title"}, "abbr": {"title"}, "td": {"colspan", "rowspan"},
              "th": {"colspan", "rowspan", "scope"}}  # fmt: skip
# Tags that are renamed rather than removed: without them, what stood apart would run together
# ("Care" and "Wash by hand" to "CareWash by hand"). The page's own heading is the only h1.
RENAMED = {
    "h1": "h2", "h5": "h4", "h6": "h4",
    **dict.fromkeys(
        ("address", "article", "aside", "center", "details", "fieldset", "figcaption", "figure",
         "footer", "form", "header", "main", "nav", "section", "summary"),
        "div",
    ),
}  # fmt: skip
# Removed with what is in them: it is no text for readers.
WITH_CONTENT = {
    *("script", "style", "iframe", "noembed", "noframes", "noscript", "object"),
    *("template", "textarea", "title", "xmp"),
}
_RENAMED_TAG = re.compile(rf"<(/?)({'|'.join(RENAMED)})>")


def clean_html(text: str) -> str:
    """`text` without scripts, styles, frames, pictures, event handlers and javascript: links.

    Cleaning it again changes nothing.
    """
    cleaned = nh3.clean(
        text.replace("\x00", ""),
        tags=TAGS | set(RENAMED),
        clean_content_tags=WITH_CONTENT,
        attributes=ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener nofollow",
    )
    # After cleaning these tags have no attributes, and a "<" of the text itself is written "&lt;".
    return _RENAMED_TAG.sub(lambda tag: f"<{tag[1]}{RENAMED[tag[2]]}>", cleaned).strip()
