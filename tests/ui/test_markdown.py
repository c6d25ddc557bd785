"""Model text to HTML: nothing in it can act, leave the page or hang it, and it says what the model said."""

import itertools
import re
import sys
from html import unescape
from html.parser import HTMLParser
from typing import Final

import pytest

from core.domain.events import Asked
from ui.layout.i18n import words
from ui.transcript.addresses import safe_address
from ui.transcript.code import highlight
from ui.transcript.diff import changes
from ui.transcript.markdown import (
    BUDGET_S,
    BUDGET_S_PER_CHAR,
    LIVE_MOST_S,
    plain,
    quick,
    render,
    split_blocks,
)
from ui.transcript.reducer import TranscriptReducer

TAGS = {
    *("a", "blockquote", "br", "code", "del", "div", "em", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre"),
    *("span", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul"),
}
ATTRIBUTES = {"href", "title", "target", "rel", "class", "start", "data-lang", "dir"}

ATTACKS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<iframe src='javascript:alert(1)'></iframe>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java\nscript:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](vbscript:msgbox)",
    "[x](file:///etc/passwd)",
    "[x](blob:https://a/b)",
    "[x](//evil.example/a)",
    "[x](/auth/logout)",
    "<javascript:alert(1)>",
    "![x](javascript:alert(1))",
    "![x](https://evil.example/pixel.png)",
    '![x](https://evil.example/a "onerror=alert(1)")',
    '[x](https://a.example/" onmouseover="alert(1))',
    '[x](https://a.example "t\' onclick=alert(1) x=")',
    '```"><script>alert(1)</script>\nx\n```',
    "```js onload=alert(1)\nx\n```",
    "`<b>`<b onclick=alert(1)>",
    "<a href=javascript:alert(1)>x</a>",
    "<form action=https://evil.example><input name=a></form>",
    "<style>*{display:none}</style>",
    "| a |\n|--|\n| <script>alert(1)</script> |",
    "[a]: javascript:alert(1)\n\n[a]",
    "<!--<img src=x onerror=alert(1)>-->",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "<details open ontoggle=alert(1)>",
    "# <script>alert(1)</script>",
]


class Seen(HTMLParser):
    """Tags, attributes and addresses in a piece of HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_a_model_writes_can_act(attack: str) -> None:
    seen = Seen(render(attack))
    assert set(seen.tags) <= TAGS
    assert {name for name, _ in seen.attributes} <= ATTRIBUTES
    for name, value in seen.attributes:
        if name == "href":
            assert safe_address(value)


def test_a_link_says_where_it_leads_and_gives_nothing_away() -> None:
    html = render("[bank](https://evil.example/path)")
    assert 'title="https://evil.example/path"' in html
    assert 'rel="noopener noreferrer nofollow"' in html and 'target="_blank"' in html


def test_an_image_is_a_link_because_loading_it_would_tell_who_reads() -> None:
    html = render("![a chart](https://elsewhere.example/c.png)")
    assert "<img" not in html
    assert '<a href="https://elsewhere.example/c.png"' in html and ">a chart</a>" in html
    assert render("[![x](https://a.example/i.png)](https://b.example)").count("<a ") == 1


@pytest.mark.parametrize("language", ["python", "bash", "json", "html", "nosuch", ""])
def test_the_text_of_a_code_block_is_its_source_byte_for_byte(language: str) -> None:
    source = 'def f(x):\n\treturn "<a&b>"  # 한글 \n\n\n  end\n'
    assert unescape(re.sub(r"<[^>]+>", "", highlight(source, language))) == source


@pytest.mark.parametrize(
    ("address", "may"),
    [
        ("https://a.example/b", True),
        ("mailto:a@b.example", True),
        ("javascript:alert(1)", False),
        ("JAVASCRIPT://a.example/%0aalert(1)", False),
        ("https:///etc/passwd", False),
        ("http:", False),
        ("//evil.example", False),
        ("http://[", False),
    ],
)
def test_where_a_link_may_lead(address: str, may: bool) -> None:
    assert safe_address(address) is may


@pytest.mark.parametrize(
    ("said", "linked"),
    [
        ("https://ko.wikipedia.org/wiki/대한민국 을 보세요", "https://ko.wikipedia.org/wiki/대한민국"),
        ("(https://ko.wikipedia.org/wiki/서울_(동음이의))에서", "https://ko.wikipedia.org/wiki/서울_(동음이의)"),
        ("https://a.example/x?q=서울&n[0]=1.", "https://a.example/x?q=서울&n[0]=1"),
        ("https://한글.kr/문서", "https://한글.kr/문서"),
        ("https://a.example/docs를 보세요", "https://a.example/docs"),
        ("https://a.example을 보세요", "https://a.example"),
        ("[여기](https://a.example/(가))", "https://a.example/(%EA%B0%80)"),
        ("https://en.wikipedia.org/wiki/Foo_(bar)?x=(1", "https://en.wikipedia.org/wiki/Foo_(bar)?x=(1"),
    ],
)
def test_an_address_with_korean_letters_and_brackets_is_linked_whole_and_without_a_particle(
    said: str, linked: str
) -> None:
    assert [value for name, value in Seen(render(said)).attributes if name == "href"] == [linked]


@pytest.mark.parametrize(
    ("said", "html"),
    [
        ("[the report](out/report.md)", '<p>the report <code class="file">out/report.md</code></p>\n'),
        ("[out/a.py](out/a.py)", '<p><code class="file">out/a.py</code></p>\n'),
        ("[src](./src/a.py#L3)", '<p>src <code class="file">./src/a.py#L3</code></p>\n'),
        ("![chart](out/chart.png)", '<p>chart <code class="file">out/chart.png</code></p>\n'),
        ("[보고서](/home/agent/agents/abcdefghjkmn/보고서.md)", '<p>보고서 <code class="file">보고서.md</code></p>\n'),
        ("[part](#part)", "<p>part</p>\n"),
    ],
)
def test_a_link_to_a_file_of_the_folder_names_the_file_and_leads_nowhere(said: str, html: str) -> None:
    assert render(said) == html


@pytest.mark.parametrize("address", ["javascript:alert(1)", "//evil.example/a", "file:///etc/passwd"])
def test_an_address_that_leads_nowhere_good_stays_as_it_was_written(address: str) -> None:
    assert f"[x]({address})" in render(f"[x]({address})")


def test_an_address_cannot_leave_its_attribute() -> None:
    html = render('<https://a.example/"onmouseover="alert(1)>') + render("[x](<https://a.example/'a\"b>)")
    assert {name for name, _ in Seen(html).attributes} <= {"href", "title", "target", "rel"}
    assert '"onmouseover' not in html


def test_text_is_text_wherever_it_stands() -> None:
    evil = "1 < 2 & <img src=x onerror=alert(1)>"
    for text in (evil, f"[{evil}](https://a.example)", f"```{'<b>'}\n{evil}\n```", evil + "x" * 200_001):
        assert not {"img", "b"} & set(Seen(render(text)).tags)
        assert "&lt;img" in render(text)


def test_headings_come_under_those_of_the_page() -> None:
    assert render("# a\n\n###### b") == "<h3>a</h3>\n<h6>b</h6>\n"


def test_korean_line_ends_stay_where_the_model_put_them() -> None:
    assert render("첫 줄\n둘째 줄") == "<p>첫 줄<br />\n둘째 줄</p>\n"


SLOW = {
    "open links": "[a](" * 5000,
    "open brackets": "[" * 20000,
    "images": "![" * 10000,
    "backtick runs": "".join("`" * n + " " for n in range(200)),
    "quotes": "> " * 2000 + "a",
    "tight quotes": ">" * 100_000 + "a",
    "stars": "*" * 20000 + "a",
    "very many stars": "*" * 199_000 + "a",
    "lines in a word": ("a" + "_" * 59) * 330,
    "star words": "*a " * 7000,
    "mixed emphasis": "**a_b" * 4000,
    "wide table": "|a" * 3000 + "\n" + "|-" * 3000 + "\n" + "|b" * 3000,
    "wide table, short rows": "|a" * 100 + "\n" + "|-" * 100 + "\n" + "x\n" * 1700,
    "deep list": "".join("  " * n + "- a\n" for n in range(200)),
    "references": "".join(f"[{n}]: http://a\n" for n in range(1500)) + "\nx",
    "half tags": "<a " * 7000,
    "brackets after an address": "https://a.b/" + "()]" * 7000,
    "unclosed fence": "```python\n" + "x = 'a'\n" * 2500,
    "many fences": "```python\nx = 'a'\n```\n" * 1000,
    "quotes in code": "```python\n" + ("'" * 99 + "\n") * 200,
    "braces in css": "```css\n" + ("{" * 99 + "\n") * 200,
    "one long line of code": "```js\n" + "/" * 20000,
}


class Calls:
    """Counts what Python calls, as a clock: no other program on the machine can make it run faster."""

    PER_S: Final = 3_000_000  # about what one core does

    def __init__(self) -> None:
        self.counted = 0

    def now(self) -> float:
        return self.counted / self.PER_S

    def __enter__(self) -> "Calls":
        sys.setprofile(self._one)
        return self

    def __exit__(self, *error: object) -> None:
        sys.setprofile(None)

    def _one(self, frame: object, event: str, argument: object) -> None:
        self.counted += event in ("call", "c_call")


@pytest.mark.parametrize("text", SLOW.values(), ids=SLOW.keys())
def test_a_text_built_to_be_slow_costs_no_more_than_its_budget(text: str) -> None:
    render("warm up")
    with Calls() as calls:
        html = render(text, now=calls.now)
    # Twice: what a rule does between two looks at the clock, and writing down what was parsed in time.
    assert calls.now() < 2 * (BUDGET_S + BUDGET_S_PER_CHAR * len(text))
    assert html


@pytest.mark.parametrize("text", ["a **b** " * 20, "---\n" * 40], ids=["inline", "block"])
def test_no_time_left_means_the_text_as_it_was_written(text: str) -> None:
    seconds = itertools.count()
    assert render(text, now=lambda: float(next(seconds))) == plain(text)
    assert render(text) != plain(text)


def test_a_text_that_is_being_written_holds_nobody_up() -> None:
    left = itertools.chain((0.0, LIVE_MOST_S / 2), itertools.repeat(LIVE_MOST_S * 1.1))
    text = "a **b** " * 2000
    assert quick(text, now=lambda: next(left)) is None
    assert quick(text, now=lambda: 0.0) == render(text, now=lambda: 0.0)


def test_code_loses_its_colours_rather_than_its_form_when_there_is_no_time_left() -> None:
    seconds = itertools.count()
    html = render("```py\nimport x\n```", now=lambda: float(next(seconds)))
    assert '<div class="code"' in html and "<span" not in html


def test_what_is_too_long_is_shown_as_it_was_written() -> None:
    assert render("a" * 200_001) == plain("a" * 200_001)


def test_a_line_drawn_with_marks_is_text_and_three_marks_are_emphasis() -> None:
    assert render("a " + "_" * 80 + " b") == f"<p>a {'_' * 80} b</p>\n"
    assert render("a ***b*** c") == "<p>a <em><strong>b</strong></em> c</p>\n"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("**한국어(괄호)**는", "<strong>한국어(괄호)</strong>는"),
        ("**“인용”**이라고", "<strong>“인용”</strong>이라고"),
        ("이것은**[표]**예요", "이것은<strong>[표]</strong>예요"),
        ("**`main.py`**를", "<strong><code>main.py</code></strong>를"),
        ("*(가)*나 ~~(다)~~라", "<em>(가)</em>나 <s>(다)</s>라"),
        ("a**(b)**c 값 * 3 * 4 **아님 ** _(가)_나", "a**(b)**c 값 * 3 * 4 **아님 ** _(가)_나"),
    ],
)
def test_emphasis_of_punctuation_may_stand_against_a_korean_particle(said: str, shown: str) -> None:
    assert render(said) == f"<p>{shown}</p>\n"


def test_a_line_drawn_with_marks_costs_the_same_however_long() -> None:
    with Calls() as short:
        render("*" * 100 + "a")
    with Calls() as long:
        render("*" * 100_000 + "a")
    assert long.counted < 2 * short.counted


def test_a_table_of_many_written_cells_is_a_table() -> None:
    cells = "| 값 | one | two | three |\n" * 1000
    html = render(f"|a|b|c|d|\n|-|-|-|-|\n{cells}", now=lambda: 0.0)  # what is judged is their number
    assert html.count("<td>") == 4000


def test_a_column_keeps_its_side() -> None:
    html = render("|a|b|c|\n|---|--:|:-:|\n|1|2|3|")
    assert '<th>a</th>\n<th class="right">b</th>\n<th class="center">c</th>' in html
    assert '<td>1</td>\n<td class="right">2</td>\n<td class="center">3</td>' in html


def test_finished_blocks_are_cut_outside_code_only() -> None:
    assert split_blocks("one\n\ntwo") == ("one\n\n", "two")
    assert split_blocks("one\n\n```\na\n\nb") == ("one\n\n", "```\na\n\nb")
    assert split_blocks("text\n```py\na\n\nb\n```\nafter") == ("text\n```py\na\n\nb\n```\n", "after")
    assert split_blocks("text:\n```py\nx") == ("text:\n", "```py\nx")
    assert split_blocks("- a\n  ```\n  x\n\n  y\n  ```\n- b") == ("", "- a\n  ```\n  x\n\n  y\n  ```\n- b")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("see https://a.example/x_y_z?q=1&r=2.", "https://a.example/x_y_z?q=1&amp;r=2"),
        ("(https://a.example/b)", "https://a.example/b"),
        ("https://a.example/b_(c)", "https://a.example/b_(c)"),
        ("https://a.example/를 보세요", "https://a.example/"),
    ],
)
def test_a_bare_address_is_a_link_without_the_sentence_around_it(text: str, address: str) -> None:
    assert f'<a href="{address}" ' in render(text)
    assert f">{address}</a>" in render(text)


@pytest.mark.parametrize("text", ["`https://a.example`", "javascript:alert(1)", "https://", "data:text/html,x"])
def test_what_is_code_or_no_address_of_the_web_is_no_link(text: str) -> None:
    assert "<a " not in render(text)


def test_an_address_as_the_text_of_a_link_is_not_a_link_in_it() -> None:
    assert render("[https://a.example](https://b.example)").count("<a ") == 1


def test_a_task_list_shows_its_boxes() -> None:
    html = render("- [ ] one\n- [x] two\n- [ok](https://a.example)")
    assert html.count('<li class="task">') == 2 and "☐ one" in html and "☑ two" in html


def test_an_edit_of_many_pieces_built_to_be_slow_to_compare_is_shown_as_all_out_all_in() -> None:
    piece = {"old_string": "a\n" * 199, "new_string": "a\nb\n" * 99}
    with Calls() as few:
        changes("MultiEdit", {"edits": [piece] * 5})
    with Calls() as many:
        shown = changes("MultiEdit", {"edits": [piece] * 100})
    assert many.counted < 3 * few.counted
    assert sum(line.text == "b" for line in shown) == 9900


def test_a_plan_is_rendered_once_however_often_its_card_is_shown() -> None:
    seen: list[str] = []

    def render(text: str) -> str:
        seen.append(text)
        return text

    fold = TranscriptReducer(words("en"), render=render)
    fold.apply(Asked(seq=1, request_id="r", kind="plan", plan="one"))
    assert [fold.meta().asks[0].plan for _ in range(5)] == ["one"] * 5
    assert len(seen) <= 2  # the card, and the transcript
