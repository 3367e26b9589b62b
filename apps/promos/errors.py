"""Why a promo gives nothing. `code` is the API's; the text is for people."""


class PromoError(Exception):
    """A promo that cannot be used. `promo_code` is the code as the shopper typed or we show it."""

    code = "promo_invalid"

    def __init__(self, promo_code: str, message: str) -> None:
        super().__init__(message)
        self.promo_code = promo_code


class PromoInvalid(PromoError):
    """Unknown, switched off, or not started yet: told apart to nobody."""

    code = "promo_invalid"

    def __init__(self, promo_code: str) -> None:
        super().__init__(promo_code, f"We do not know the code {promo_code[:60]}.")


class PromoExpired(PromoError):
    """Its window has closed."""

    code = "promo_expired"

    def __init__(self, promo_code: str) -> None:
        super().__init__(promo_code, f"{promo_code} has expired.")


class PromoExhausted(PromoError):
    """The last use, in all or for this customer, is gone."""

    code = "promo_exhausted"

    def __init__(self, promo_code: str) -> None:
        super().__init__(promo_code, f"{promo_code} has been used up.")


class PromoNotApplicable(PromoError):
    """Good code, wrong cart."""

    code = "promo_not_applicable"
