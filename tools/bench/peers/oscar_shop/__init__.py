"""django-oscar with its defaults: guests may order, goods are shipped for free."""
