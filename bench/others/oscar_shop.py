"""Back in stock in django-oscar: one shop with N active alerts about one product, in SQLite, with mails kept in memory.

    python oscar_shop.py N    prints one line of JSON

Each measurement is a process of its own over a fresh copy of the migrated database. Settings are Django's and Oscar's defaults: a
request has no transaction around it, and alerts are sent when a stock record is saved (`OSCAR_EAGER_ALERTS`).
"""

import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

OSCAR_APPS = """
    analytics.apps.Analytics checkout.apps.Checkout address.apps.Address shipping.apps.Shipping catalogue.apps.Catalogue
    catalogue.reviews.apps.CatalogueReviews communication.apps.Communication partner.apps.Partner basket.apps.Basket
    payment.apps.Payment offer.apps.Offer order.apps.Order customer.apps.Customer search.apps.Search voucher.apps.Voucher
    wishlists.apps.Wishlists dashboard.apps.Dashboard dashboard.reports.apps.ReportsDashboard
    dashboard.users.apps.UsersDashboard dashboard.orders.apps.OrdersDashboard
    dashboard.catalogue.apps.CatalogueDashboard dashboard.offers.apps.OffersDashboard
    dashboard.partners.apps.PartnersDashboard dashboard.pages.apps.PagesDashboard dashboard.ranges.apps.RangesDashboard
    dashboard.reviews.apps.ReviewsDashboard dashboard.vouchers.apps.VouchersDashboard
    dashboard.communications.apps.CommunicationsDashboard dashboard.shipping.apps.ShippingDashboard
""".split()
DJANGO_APPS = "auth contenttypes sessions sites messages staticfiles flatpages".split()


def start_django(database):
    import types

    import django
    from django.conf import settings
    from oscar import defaults

    urls = sys.modules["shop_urls"] = types.ModuleType("shop_urls")
    urls.urlpatterns = []
    settings.configure(
        **{name: getattr(defaults, name) for name in dir(defaults) if name.startswith("OSCAR_")},
        SECRET_KEY="bench",
        SITE_ID=1,
        USE_TZ=True,
        ROOT_URLCONF="shop_urls",
        STATIC_URL="/static/",
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        EMAIL_BACKEND="django.core.mail.backends.locmem.EmailBackend",
        # Writers wait for each other, as they do with a database server.
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": database,
                "OPTIONS": {"timeout": 900, "transaction_mode": "IMMEDIATE"},
            }
        },
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True, "OPTIONS": {}}],
        HAYSTACK_CONNECTIONS={"default": {"ENGINE": "haystack.backends.simple_backend.SimpleEngine"}},
        INSTALLED_APPS=[f"django.contrib.{app}" for app in DJANGO_APPS]
        + ["oscar.config.Shop"]
        + [f"oscar.apps.{app}Config" for app in OSCAR_APPS]
        + ["widget_tweaks", "haystack", "treebeard", "django_tables2"],
    )
    django.setup()

    from django.apps import apps
    from django.urls import include, path

    urls.urlpatterns = [path("", include(apps.get_app_config("oscar").urls[0]))]


def migrate(_):
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


def fill(people):
    from django.utils import timezone
    from oscar.core.loading import get_model

    shown_as = get_model("catalogue", "ProductClass").objects.create(name="Clothing")
    product = get_model("catalogue", "Product").objects.create(title="Wool sweater", product_class=shown_as)
    partner = get_model("partner", "Partner").objects.create(name="Warehouse")
    stock = get_model("partner", "StockRecord")
    stock.objects.create(product=product, partner=partner, partner_sku="SKU-1", price=10, num_in_stock=0)
    alert = get_model("customer", "ProductAlert")
    alert.objects.bulk_create(
        [
            alert(product=product, email=f"{n}@example.com", key=f"{n:040}", status=alert.ACTIVE, date_confirmed=timezone.now())
            for n in range(people)
        ],
        batch_size=1_000,
    )


def restock(begins_at):
    """Saves a stock of five, and returns what that took and who was mailed."""
    from django.core import mail
    from oscar.core.loading import get_model

    time.sleep(max(0, begins_at - time.time()))
    begin = time.perf_counter()
    record = get_model("partner", "StockRecord").objects.get()
    record.num_in_stock = 5
    record.save()
    seconds = time.perf_counter() - begin
    mailed = [message.to[0] for message in getattr(mail, "outbox", [])]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return {"seconds": seconds, "mailed": mailed, "memory": memory}


def begin(step, database, value):
    command = [sys.executable, __file__, step, str(database), str(value)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def end(process):
    output, _ = process.communicate()
    assert process.returncode == 0, f"{process.args} ended with {process.returncode}"
    return json.loads(output)


def measure(people):
    with tempfile.TemporaryDirectory() as folder:
        empty, alone, shared = (Path(folder) / name for name in ["empty", "alone", "shared"])
        end(begin("migrate", empty, 0))
        end(begin("fill", empty, people))
        shutil.copy(empty, alone)
        shutil.copy(empty, shared)

        one = end(begin("restock", alone, 0))
        at = time.time() + 15
        two = [end(process) for process in [begin("restock", shared, at), begin("restock", shared, at)]]
        mailed = [address for each in two for address in each["mailed"]]
        return {
            "call": one["seconds"],
            "mails": len(one["mailed"]),
            "mailsPerSecond": len(one["mailed"]) / one["seconds"],
            "memory": one["memory"],
            "mailsOfTwoCalls": len(mailed),
            "peopleOfTwoCalls": len(set(mailed)),
        }


if __name__ == "__main__":
    if len(sys.argv) == 2:
        print(json.dumps(measure(int(sys.argv[1]))))
    else:
        step, database, value = sys.argv[1:]
        start_django(database)
        print(json.dumps({"migrate": migrate, "fill": fill, "restock": restock}[step](float(value) if step == "restock" else int(value))))
