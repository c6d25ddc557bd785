"""The parts that all pages share: the frame around a page, its header, translations, HTML elements and toasts."""
