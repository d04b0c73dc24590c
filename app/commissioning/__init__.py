"""The physicist's acceptance of the node, on the machine and with the settings of the site."""
