"""The platform without screens: values, seams, the runner, the gateway and the use cases of the web."""
