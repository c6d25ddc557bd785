"""The pages and components of the web interface, built with NiceGUI. Only the package `web` imports this one."""
