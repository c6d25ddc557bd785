"""The small programs that the practice builder writes: real ones, that run offline on sample data."""

import json
from string import Template

from core.gateway.practice.talk import Language
from core.gateway.practice.topic import Shape, Topic

HEAD = '''"""$title

$note
"""

'''

FIGURES = """# ($name_column, $before_column, $now_column)
ROWS = $sample
NOTABLE_PERCENT = 1.0


def change(before, now):
    return (now - before) / before * 100 if before else 0.0


def main():
    print($title_text)
    for name, before, now in ROWS:
        percent = change(before, now)
        mark = "$notable" if abs(percent) >= NOTABLE_PERCENT else ""
        print(f"- {name}: {before:,g} -> {now:,g} ({percent:+.1f}%) {mark}".rstrip())
    name, before, now = max(ROWS, key=lambda row: abs(change(row[1], row[2])))
    print(f"$largest: {name} ({change(before, now):+.1f}%)")


if __name__ == "__main__":
    main()
"""

ENTRIES = """# ($where_column, $what_column, $weight_column)
ENTRIES = $sample
WORTH_SHOWING = 1


def main():
    print($title_text)
    chosen = sorted((entry for entry in ENTRIES if entry[2] >= WORTH_SHOWING), key=lambda entry: -entry[2])
    for number, (where, what, _) in enumerate(chosen, start=1):
        print(f"{number}. [{where}] {what}")
    print(f"$chosen_of: {len(chosen)}/{len(ENTRIES)}")


if __name__ == "__main__":
    main()
"""

TEXT = """import collections
import re

TEXT = $sample


def main():
    sentences = [part.strip() for part in re.split(r"(?<=[.?])\\s+", TEXT) if part.strip()]
    words = collections.Counter(word.lower() for word in re.findall(r"\\w{2,}", TEXT))
    print($title_text)
    print(f"$length: {len(sentences)} / {sum(words.values())}")
    common = ", ".join(f"{word} ({count})" for word, count in words.most_common(3))
    print(f"$frequent: {common}")
    print(f"$main_sentence: {max(sentences, key=len)}")


if __name__ == "__main__":
    main()
"""

SHAPES: dict[Shape, str] = {"figures": FIGURES, "entries": ENTRIES, "text": TEXT}

WORDS: dict[Language, dict[str, str]] = {
    "ko": {
        "note": "예시 자료로 움직여요. 진짜 자료는 아래 목록 대신 파일이나 주소에서 읽어 오면 돼요.",
        "name_column": "이름", "before_column": "지난번 값", "now_column": "이번 값",
        "where_column": "어디", "what_column": "내용", "weight_column": "중요도 0~3",
        "notable": "※ 눈여겨볼 변화", "largest": "가장 크게 움직인 것", "chosen_of": "고른 것",
        "length": "문장 / 낱말 수", "frequent": "자주 나온 말", "main_sentence": "가장 긴 문장",
        "suffix": "예시 결과",
    },
    "en": {
        "note": "Works on sample data. For the real thing, read a file or an address instead of the list below.",
        "name_column": "name", "before_column": "last value", "now_column": "this value",
        "where_column": "where", "what_column": "what", "weight_column": "weight 0-3",
        "notable": "<- worth a look", "largest": "Largest move", "chosen_of": "Chosen",
        "length": "Sentences / words", "frequent": "Frequent words", "main_sentence": "Longest sentence",
        "suffix": "sample result",
    },
}  # fmt: skip


def script(topic: Topic, *, name: str, language: Language) -> str:
    """`main.py` for this topic. `name` may come from the user and is quoted wherever it stands."""
    words = WORDS[language]
    title = f"{name} - {words['suffix']}"
    return Template(HEAD + SHAPES[topic.shape]).substitute(
        words,
        title=title.replace("\\", " ").replace('"', "'"),
        title_text=json.dumps(title, ensure_ascii=False),
        sample=topic.sample[language],
    )
