#!/bin/sh
# Where SOAR's own images have their entrypoint; for whatever starts the container by that path.
exec tini -- fn-exchange-online "${@:-run}"
