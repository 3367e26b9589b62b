"""The pages of the shop. A view translates, makes one domain call, and translates back."""
