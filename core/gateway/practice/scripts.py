"""The small programs that the practice builder writes. They are real and run offline on sample data."""

import json
from string import Template

from core.gateway.practice.conversation import Language
from core.gateway.practice.phrasebook import Topic, phrasebook


def script(topic: Topic, *, name: str, language: Language) -> str:
    """Return `main.py` for this topic. `name` may come from the user and is quoted wherever it stands."""
    scripts, words = phrasebook().scripts, phrasebook().languages[language].script
    title = f"{name} - {words['suffix']}"
    return Template(scripts["head"] + scripts[topic.shape]).substitute(
        words,
        title=title.replace("\\", " ").replace('"', "'"),
        title_text=json.dumps(title, ensure_ascii=False),
        sample=topic.texts[language].sample,
    )
