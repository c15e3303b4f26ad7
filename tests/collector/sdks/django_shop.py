"""A Django application under moesifdjango, with its default settings."""

from __future__ import annotations

import django
from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.test import RequestFactory
from django.urls import path

from tests.collector.sdks.driving import arguments, body_of, send_profiles, wait_for_the_end


def shop(request: HttpRequest, number: int = 0) -> JsonResponse:
    return JsonResponse(body_of(int(request.path.rpartition("/")[2])))


urlpatterns = [path("django/<int:number>", shop)]


def main() -> None:
    url, application_id, count = arguments()
    settings.configure(
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=__name__,
        USE_TZ=True,
        MOESIF_MIDDLEWARE={"APPLICATION_ID": application_id, "BASE_URI": url},
    )
    django.setup()
    from moesifdjango.middleware import moesif_middleware

    middleware, factory = moesif_middleware(shop), RequestFactory()
    for number in range(count):
        middleware(factory.post(f"/django/{number}", body_of(number), content_type="application/json"))
    send_profiles(middleware)
    wait_for_the_end()


main()
