"""Why a promo gives no discount. `code` is for the API; `str()` is shown to shoppers."""


class PromoError(Exception):
    """A promo that cannot be used. `promo_code`: as typed by the shopper, or as stored."""

    code = "promo_invalid"

    def __init__(self, promo_code: str, message: str) -> None:
        super().__init__(message)
        self.promo_code = promo_code


class PromoInvalid(PromoError):
    """Unknown, switched off, or not started yet: one answer, so that it does not tell which."""

    code = "promo_invalid"

    def __init__(self, promo_code: str) -> None:
        super().__init__(promo_code, f"We do not know the code {promo_code[:60]}.")


class PromoExpired(PromoError):
    """`ends_at` has passed."""

    code = "promo_expired"

    def __init__(self, promo_code: str) -> None:
        super().__init__(promo_code, f"{promo_code} has expired.")


class PromoExhausted(PromoError):
    """`used` has reached `total_limit`."""

    code = "promo_exhausted"

    def __init__(self, promo_code: str) -> None:
        super().__init__(promo_code, f"{promo_code} has been used up.")


class PromoUsed(PromoExhausted):
    """This customer has reached the promo's `customer_limit`."""

    code = "promo_used"

    def __init__(self, promo_code: str) -> None:
        PromoError.__init__(self, promo_code, f"You have used {promo_code} before.")


class PromoNotApplicable(PromoError):
    """The code is valid, but not for this cart."""

    code = "promo_not_applicable"
