"""The spec: YAML text in, a Pipeline or every problem at once out. Nothing here costs money or touches the network."""
