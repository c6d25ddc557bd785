"""Topics of everybody's desk: mail, meetings, news, figures, texts, plans."""

# ruff: noqa: E501  # sentences stay whole, so that they can be found by searching

from core.gateway.practice.topic import Say, Topic

DESK = (
    Topic(
        words=r"환율|달러|엔화|유로화?|\b(?:exchange rate|currenc|forex|dollar)",
        icon="globe",
        name=Say(ko="환율 알림이", en="Exchange rate watcher"),
        question=Say(
            ko="어느 나라 돈의 환율이 필요하세요? 예를 들어 달러, 엔, 유로처럼 알려 주세요. 얼마나 움직였을 때 따로 표시할지도 있으면 함께 적어 주세요.",
            en="Which currencies do you need, for example USD, JPY and EUR? If a certain move should stand out, tell me how large.",
        ),
        does=Say(ko="정한 통화의 환율을 어제와 비교해 알려 줘요.", en="Compares the currencies you chose with yesterday and reports the moves."),
        shape="figures",
        sample=Say(
            ko='[("미국 달러", 1382.5, 1391.2), ("일본 엔 (100엔)", 921.3, 918.7), ("유로", 1498.0, 1503.6)]',
            en='[("USD/EUR", 0.923, 0.931), ("USD/JPY", 150.1, 149.2), ("USD/GBP", 0.781, 0.783)]',
        ),
    ),
    Topic(
        words=r"날씨|기온|미세먼지|\b(?:weather|forecast)",
        icon="globe",
        name=Say(ko="날씨 알림이", en="Weather briefer"),
        question=Say(
            ko="비가 오거나 일교차가 크면 따로 알려 드릴까요? 지역을 아직 말씀하지 않으셨다면 함께 알려 주세요.",
            en="Should rain or a sudden drop stand out? If you have not named the place yet, tell me as well.",
        ),
        does=Say(ko="정한 지역의 날씨를 어제와 비교해 짧게 알려 줘요.", en="Compares the weather with yesterday's and keeps it short."),
        shape="figures",
        sample=Say(
            ko='[("낮 최고 기온(도)", 21.0, 24.5), ("강수 확률(%)", 10.0, 60.0), ("미세먼지", 35.0, 31.0)]',
            en='[("High (C)", 21.0, 24.5), ("Chance of rain (%)", 10.0, 60.0), ("Wind (km/h)", 12.0, 11.0)]',
        ),
    ),
    Topic(
        words=r"메일|이메일|수신함|\b(?:e-?mail|inbox|newsletter)",
        icon="mail",
        name=Say(ko="메일 정리 도우미", en="Inbox sorter"),
        question=Say(
            ko="어떤 메일을 먼저 봐야 하나요? 보낸 사람이나 제목에 들어가는 말을 알려 주세요.",
            en="Which mail matters first? Name senders or words in the subject.",
        ),
        does=Say(ko="먼저 볼 메일을 골라 한 줄씩 정리해 줘요.", en="Picks the mail that matters and sums up each in a line."),
        shape="entries",
        sample=Say(
            ko='[("김민수", "계약서 검토를 오늘까지 부탁드려요", 3), ("뉴스레터", "이번 주 소식", 0), ("이서연", "회의 시간을 바꿀 수 있을까요", 2)]',
            en='[("Dana", "Contract: please review today", 3), ("Newsletter", "This week in tools", 0), ("Omar", "Can we move the meeting?", 2)]',
        ),
    ),
    Topic(
        words=r"회의|미팅|녹취|\b(?:meeting|minutes|transcript)",
        icon="mic",
        name=Say(ko="회의록 정리", en="Meeting notes"),
        question=Say(
            ko="회의록에서 무엇을 뽑아 드릴까요? 예를 들어 결정한 것, 할 일, 담당자예요.",
            en="What should I take out of the notes, for example decisions, actions and owners?",
        ),
        does=Say(ko="회의 내용에서 결정과 할 일을 뽑아 정리해 줘요.", en="Takes decisions and actions out of meeting notes."),
        shape="entries",
        sample=Say(
            ko='[("결정", "출시일은 다음 달 첫째 주로 한다", 3), ("잡담", "점심 메뉴", 0), ("할 일", "지원: 견적서 보내기 (금요일까지)", 2)]',
            en='[("Decision", "Launch in the first week of next month", 3), ("Chat", "Where to have lunch", 0), ("Action", "Kim: send the quote by Friday", 2)]',
        ),
    ),
    Topic(
        words=r"자료[를을]? ?(?:모|조사|찾|정리)|조사(?:해|하|를)|(?:자료|시장) ?조사|출처|리서치|\bresearch",
        icon="search",
        name=Say(ko="자료 조사", en="Research"),
        question=Say(
            ko="어떤 주제를 얼마나 깊이 살펴볼까요? 믿을 만한 출처가 있으면 알려 주세요.",
            en="How deep should I look, and which sources do you trust?",
        ),
        does=Say(ko="주제에 맞는 자료를 모아 출처와 함께 정리해 줘요.", en="Collects material on a topic and sums it up with its sources."),
        shape="entries",
        sample=Say(
            ko='[("논문", "깊은 수면과 기억의 관계", 3), ("통계", "연령대별 수면 시간", 2), ("블로그", "잠 잘 자는 법", 0)]',
            en='[("Paper", "Deep sleep and memory", 3), ("Statistics", "Hours of sleep by age", 2), ("Blog", "How to sleep well", 0)]',
        ),
    ),
    Topic(
        words=r"뉴스|기사|소식|검색|찾아|모니터|\b(?:news|article|headline|search|monitor)",
        icon="search",
        name=Say(ko="소식 모음이", en="News scout"),
        question=Say(
            ko="어떤 주제를 살펴볼까요? 꼭 들어가야 할 말과 빼야 할 말을 알려 주세요.",
            en="Which subjects should I follow? Name words that must be in, and words to leave out.",
        ),
        does=Say(ko="주제에 맞는 소식을 골라 짧게 모아 줘요.", en="Picks what fits your subjects and keeps it short."),
        shape="entries",
        sample=Say(
            ko='[("경제", "기준금리 동결, 시장은 차분", 2), ("연예", "주말 공연 안내", 0), ("기술", "새 반도체 공장 착공", 3)]',
            en='[("Economy", "Rates on hold, markets calm", 2), ("Showbiz", "Weekend concerts", 0), ("Tech", "Work starts on a new chip plant", 3)]',
        ),
    ),
    Topic(
        words=r"매출|실적|통계|보고서|리포트|엑셀|지표|주가|주식|\b(?:sales|revenue|report|metric|spreadsheet|csv|stock|kpi)",
        icon="chart",
        name=Say(ko="보고서 도우미", en="Report writer"),
        question=Say(
            ko="어떤 숫자를 무엇과 비교해 볼까요? 예를 들어 지점별 매출을 지난주와 비교하는 식으로요.",
            en="Which figures should be compared with what, for example sales by shop with last week?",
        ),
        does=Say(ko="숫자를 지난번과 비교해 한눈에 보이게 정리해 줘요.", en="Compares figures with last time and puts them on one page."),
        shape="figures",
        sample=Say(
            ko='[("강남점(만 원)", 412.0, 455.0), ("홍대점(만 원)", 380.0, 371.0), ("온라인(만 원)", 720.0, 803.0)]',
            en='[("North shop", 4120.0, 4550.0), ("South shop", 3800.0, 3710.0), ("Online", 7200.0, 8030.0)]',
        ),
    ),
    Topic(
        words=r"글쓰기|블로그|번역|카피|홍보|문장|맞춤법|\b(?:sns|write|writing|blog|translat|copy|post)",
        icon="pen",
        name=Say(ko="글쓰기 도우미", en="Writing assistant"),
        question=Say(
            ko="누가 읽을 글인가요? 말투와 길이도 알려 주세요.",
            en="Who will read it? Tell me the tone and the length as well.",
        ),
        does=Say(ko="글을 살펴 길이와 자주 쓴 말을 알려 줘요.", en="Looks a text over: its length, and the words it leans on."),
        shape="text",
        sample=Say(
            ko='"새로 나온 기능을 소개해요. 이 기능은 반복되는 일을 줄여 줘요. 반복되는 일이 줄면 중요한 일에 집중할 수 있어요."',
            en='"Meet the new feature. It takes repeated work off your hands. Less repeated work means more time for what matters."',
        ),
    ),
    Topic(
        words=r"요약|논문|(?<![가-힣])책|독서|공부|학습|\b(?:summar|paper|book|study|reading|learn)",
        icon="book",
        name=Say(ko="요약 도우미", en="Summariser"),
        question=Say(
            ko="무엇을 요약할까요? 원하는 길이와 꼭 남겨야 할 내용도 알려 주세요.",
            en="What should be summed up? Tell me the length and what must stay in.",
        ),
        does=Say(ko="글에서 중요한 문장을 골라 짧게 보여 줘요.", en="Picks the sentences that carry a text."),
        shape="text",
        sample=Say(
            ko='"수면은 기억을 정리해요. 깊은 수면이 부족하면 기억이 약해져요. 그래서 연구자들은 깊은 수면과 기억의 관계를 살펴봤어요."',
            en='"Sleep sorts our memories. Without deep sleep memories fade. So the authors studied how deep sleep and memories belong together."',
        ),
    ),
    Topic(
        words=r"일정|할 ?일|알림|알람|리마인|약속|캘린더|\b(?:schedule|calendar|remind|to-?do|task)",
        icon="clock",
        name=Say(ko="일정·할 일 도우미", en="Day planner"),
        question=Say(
            ko="어떤 일을 언제 알려 드릴까요? 미리 알아야 하는 시간도 함께 적어 주세요.",
            en="What should I remind you of, when, and how long before?",
        ),
        does=Say(ko="다가오는 일을 급한 순서로 알려 줘요.", en="Names what is coming up, most urgent first."),
        shape="entries",
        sample=Say(
            ko='[("오늘 15:00", "팀 회의 자료 준비", 3), ("내일", "세금 신고", 2), ("다음 달", "여권 갱신", 0)]',
            en='[("Today 15:00", "Prepare the team meeting", 3), ("Tomorrow", "File the tax return", 2), ("Next month", "Renew the passport", 0)]',
        ),
    ),
)  # fmt: skip

ANYTHING = Topic(
    words="",
    icon="spark",
    name=Say(ko="", en=""),
    question=Say(
        ko="조금 더 알려 주세요. 무엇을 받아서 어떤 결과를 내면 되나요? 예를 하나 들어 주시면 좋아요.",
        en="Tell me a little more: what does it get, and what should come out? One example helps a lot.",
    ),
    does=Say(ko="부탁하신 일을 정해진 순서로 처리해 줘요.", en="Does what you asked for, step by step."),
    shape="entries",
    sample=Say(
        ko='[("첫 번째", "바로 처리할 것", 3), ("두 번째", "나중에 볼 것", 1), ("세 번째", "건너뛸 것", 0)]',
        en='[("First", "To be done at once", 3), ("Second", "Can wait a little", 1), ("Third", "To be skipped", 0)]',
    ),
)
