"""axe-core in a page of the running shop: what it finds, for each scheme of colours."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

SOURCE = Path(__file__).parent / "vendor" / "axe.min.js"
WIDTHS = {"phone": (360, 740), "desk": (1440, 900)}
SCHEMES = ("light", "dark")
SETTLED = """
    const done = arguments[arguments.length - 1];
    // Chromium keeps some inherited colours of the scheme before, until they are set anew.
    document.body.style.display = "none";
    document.body.offsetHeight;
    document.body.style.removeProperty("display");
    requestAnimationFrame(() => requestAnimationFrame(async () => {
      await Promise.allSettled(document.getAnimations()
        .filter((animation) => animation instanceof CSSTransition)
        .map((animation) => animation.finished));
      done();
    }));
"""
RUN = """
    const done = arguments[arguments.length - 1];
    // Experimental rules are off unless named.
    const on = { enabled: true };
    const rules = { "label-content-name-mismatch": on, "focus-order-semantics": on };
    axe.run(document, { resultTypes: ["violations"], rules })
      .then((found) => done(found.violations.map((rule) =>
        `${rule.id}: ${rule.nodes.map((node) => node.target.join(" ")).slice(0, 3).join(" | ")}`)))
      .catch((error) => done([String(error)]));
"""


def wear(chrome: "Chrome", *, width: str, scheme: str) -> None:
    """The window as a visitor with this width and scheme of colours has it, without motion."""
    wide, high = WIDTHS[width]
    metrics = {"width": wide, "height": high, "deviceScaleFactor": 1, "mobile": width == "phone"}
    chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    features = [
        {"name": "prefers-color-scheme", "value": scheme},
        # Half-faded text has half its contrast.
        {"name": "prefers-reduced-motion", "value": "reduce"},
    ]
    chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    # Colours that fade from one scheme to the other have come to rest.
    chrome.set_script_timeout(60)
    chrome.execute_async_script(SETTLED)


def undress(chrome: "Chrome") -> None:
    """The window as it was."""
    chrome.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def violations(chrome: "Chrome") -> list[str]:
    """What axe finds in the page as it stands; nothing is what is wanted."""
    # By the debugger: the page's policy allows no script but the shop's own.
    if not chrome.execute_script("return Boolean(window.axe)"):
        chrome.execute_script(SOURCE.read_text())
    chrome.set_script_timeout(60)
    found: list[Any] = chrome.execute_async_script(RUN)
    return [str(one) for one in found]


def everywhere(chrome: "Chrome", what: str) -> dict[str, list[str]]:
    """The violations of the page as it stands, at both widths and in both schemes, by name."""
    found = {}
    for width in WIDTHS:
        for scheme in SCHEMES:
            wear(chrome, width=width, scheme=scheme)
            if problems := violations(chrome):
                found[f"{what}, {width}, {scheme}"] = problems
    return found
