# Ends with 0 if each installed file is there as it was installed, and the module that is named can be imported.
import importlib
import importlib.metadata
import os
import sys

for distribution in importlib.metadata.distributions():
    for file in distribution.files or ():
        # Those that Python compiles have no size.
        if file.size is not None and os.stat(distribution.locate_file(file)).st_size != file.size:
            sys.exit(f"{file} is not as it was installed")
importlib.import_module(sys.argv[1])
