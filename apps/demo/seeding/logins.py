"""Demo logins; their passwords are public."""

from dataclasses import dataclass

from django.contrib.auth.models import Group, Permission

from apps.customers import addresses
from apps.customers.models import User
from apps.demo.seeding.seeded import Seeded


@dataclass(frozen=True)
class Login:
    """A demo login as it is printed."""

    email: str
    password: str
    name: str
    role: str


LOGINS = (
    Login("alice@kettleandpine.example", "slow-mornings", "Alice Marsh", "customer"),
    Login("bob@kettleandpine.example", "second-breakfast", "Bob Teller", "customer"),
    Login("staff@kettleandpine.example", "warm-the-pot-first", "Sam Porter", "staff"),
    Login("admin@kettleandpine.example", "kettle-is-on", "Ada Kettle", "admin"),
)

ALICES_ADDRESS = {
    "name": "Alice Marsh",
    "line1": "14 Larch Street",
    "line2": "Top bell",
    "city": "Portland",
    "region": "OR",
    "postal_code": "97214",
    "country": "US",
    "phone": "+1 503 555 0114",
}

STAFF_APPS = (
    *("catalog", "inventory", "orders", "promos", "shipping", "taxes", "payments"),
    *("notifications", "backoffice"),
)


def create_logins(seeded: Seeded) -> None:
    """Create the missing logins, and Alice's address."""
    known = set(User.objects.values_list("email", flat=True))
    for login in LOGINS:
        if login.email in known:
            continue
        if login.role == "admin":
            User.objects.create_superuser(login.email, login.password, name=login.name)
        else:
            user = User.objects.create_user(
                login.email, login.password, name=login.name, is_staff=login.role == "staff"
            )
            if login.role == "staff":
                user.groups.add(_staff_group())
        seeded.count("logins")
        if login.name == ALICES_ADDRESS["name"]:
            addresses.create(User.objects.get(email=login.email), ALICES_ADDRESS)


def _staff_group() -> Group:
    """A group that may view and change the shop, but neither delete nor change logins."""
    group, made = Group.objects.get_or_create(name="Shop staff")
    if made:
        group.permissions.set(
            Permission.objects.filter(content_type__app_label__in=STAFF_APPS).exclude(
                codename__startswith="delete_"
            )
        )
    return group
