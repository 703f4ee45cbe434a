"""Has SOAR's own tool make an app of the parts in the current directory.

What the tool takes from a Python package is put where it looks for it. Arguments: the app's name and version, the
repository of its image, and the digest of its image or nothing."""

import json
import os
import sys

from resilient_sdk.util import package_file_helpers

name, version, repository, digest = sys.argv[1:]
here = os.getcwd()
about = json.load(open("about.json"))

util = os.path.join(here, name, "util")
os.makedirs(os.path.join(util, "data"))
os.rename("customizations.res", os.path.join(util, "data", "export.res"))
open(os.path.join(util, "customize.py"), "w").close()
with open(os.path.join(util, "config.py"), "w") as config:
    config.write("def config_section_data():\n    return %r\n" % open("section.config").read())
entry_points = {
    "resilient.circuits.customize": ["customize = %s.util.customize:customization_data" % name],
    "resilient.circuits.configsection": ["gen_config = %s.util.config:config_section_data" % name],
}
with open("setup.py", "w") as setup:
    arguments = dict(about, name=name, version=version, entry_points=entry_points)
    setup.write("setup(\n%s\n)\n" % ",\n".join("    %s=%r" % each for each in arguments.items()))
os.mkdir("made")
package_file_helpers.create_extension(
    path_setup_py_file=os.path.join(here, "setup.py"),
    path_apikey_permissions_file=os.path.join(here, "permissions.txt"),
    output_dir=os.path.join(here, "made"),
    path_built_distribution=os.path.join(here, "distribution.tar.gz"),
    path_extension_logo=os.path.join(here, "app_logo.png"),
    path_company_logo=os.path.join(here, "company_logo.png"),
    repository_name=repository,
    image_hash=digest or None,
)
