"""How long the catalog's texts may be, in characters: columns, forms and imported files alike.

They are the limits of Shopify, so that what was for sale there can be for sale here.
"""

SLUG = 255
NAME = 255
VENDOR = 255
CATEGORY_NAME = 255
CATEGORY_SLUG = 140
SKU = 255
BARCODE = 255
OPTION_NAME = 255
OPTION_VALUE = 255
OPTIONS = 3  # of one product
TAG = 255
TAGS = 250  # of one product
ALT = 512
PICTURE_URL = 1000
DESCRIPTION = 100_000  # once it is cleaned HTML
