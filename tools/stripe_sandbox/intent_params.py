"""The parameters of each PaymentIntent call."""

from __future__ import annotations

from tools.stripe_sandbox import params

_NOT_SIMULATED = dict.fromkeys(
    (
        "amount_details", "application_fee_amount", "confirmation_token", "customer",
        "customer_account", "excluded_payment_method_types", "hooks", "mandate", "mandate_data",
        "on_behalf_of", "payment_details", "payment_method_configuration",
        "payment_method_data", "radar_options", "setup_future_usage", "statement_descriptor",
        "transfer_data", "transfer_group",
    ),
    params.not_simulated,
)  # fmt: skip

_SHIPPING = params.mapping(
    {
        "name": params.string(),
        "phone": params.string(20),
        "carrier": params.string(),
        "tracking_number": params.string(),
        "address": params.mapping(
            {
                "line1": params.string(),
                "line2": params.string(),
                "city": params.string(),
                "state": params.string(),
                "postal_code": params.string(),
                "country": params.country,
            }
        ),
    },
    required=("name", "address"),
)
_CONFIRMING: params.Schema = {
    "return_url": params.url,
    "off_session": params.boolean,
    "error_on_requires_action": params.boolean,
    "use_stripe_sdk": params.boolean,
    "payment_method_options": params.mapping(
        {
            "card": params.mapping(
                {"request_three_d_secure": params.one_of("any", "automatic", "challenge")}
            )
        }
    ),
}
CREATE: params.Schema = {
    **_NOT_SIMULATED,
    **_CONFIRMING,
    "amount": params.amount,
    "currency": params.currency,
    "automatic_payment_methods": params.mapping(
        {"enabled": params.boolean, "allow_redirects": params.one_of("always", "never")}
    ),
    "capture_method": params.one_of("automatic", "automatic_async", "manual"),
    "confirm": params.boolean,
    "confirmation_method": params.one_of("automatic", "manual"),
    "description": params.string(1000),
    "metadata": params.metadata,
    "payment_method": params.string(),
    "payment_method_types": params.listed(params.one_of("card", "link")),
    "receipt_email": params.string(800),
    "shipping": _SHIPPING,
    "statement_descriptor_suffix": params.string(22),
}
UPDATE: params.Schema = {
    "description": params.string(1000),
    "metadata": params.metadata,
    "receipt_email": params.string(800),
}
CONFIRM: params.Schema = {
    **_NOT_SIMULATED,
    **_CONFIRMING,
    "payment_method": params.string(),
    "receipt_email": params.string(800),
    "shipping": params.not_simulated,
}
CAPTURE: params.Schema = {
    "amount_to_capture": params.amount,
    "final_capture": params.boolean,
    "metadata": params.metadata,
    "statement_descriptor_suffix": params.string(22),
    "application_fee_amount": params.not_simulated,
    "transfer_data": params.not_simulated,
}
CANCEL: params.Schema = {
    "cancellation_reason": params.one_of(
        "duplicate", "fraudulent", "requested_by_customer", "abandoned"
    )
}
