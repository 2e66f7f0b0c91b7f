"""One servicer a file: what each method does; who may call it is settled before (`control.calls`)."""
