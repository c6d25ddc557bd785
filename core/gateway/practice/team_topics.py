"""Topics of people who make and sell things: issues, deploys, packages, customers, stock."""

# ruff: noqa: E501  # sentences stay whole, so that they can be found by searching

from core.gateway.practice.topic import Say, Topic

TEAM = (
    Topic(
        words=r"이슈(?=[\s\S]{0,200}(?:요약|담당자|다이제스트|묶어))|(?:요약|담당자)(?=[\s\S]{0,200}이슈)"
        r"|\bissues?\b(?=[\s\S]{0,200}(?:summar|sum(?:s|med)? up|digest|assignee))|\b(?:summar|sum(?:s|med)?\b|digest)(?=[\s\S]{0,200}\bissue)",
        icon="issue",
        name=Say(ko="이슈 요약이", en="Issue digest"),
        question=Say(
            ko="어느 저장소의 이슈를 볼까요? 담당자별로 묶을지, 꼭 남겨야 할 라벨이 있는지도 알려 주세요.",
            en="Which repository should I read? Tell me as well how to group its issues, and which labels must not be missed.",
        ),
        does=Say(ko="새 이슈를 담당자별로 묶어 한 줄씩 요약해 줘요.", en="Groups new issues by assignee and sums up each in a line."),
        shape="entries",
        sample=Say(
            ko='[("지원", "#128 결제 화면이 열리지 않아요", 3), ("하늘", "#130 로그인이 가끔 느려요", 2), ("미정", "#129 버튼 색이 조금 달라요", 1)]',
            en='[("Dana", "#128 Checkout does not open", 3), ("Omar", "#130 Sign-in is slow at times", 2), ("Nobody yet", "#129 Button colour is a bit off", 1)]',
        ),
    ),
    Topic(
        words=r"이슈|버그|티켓|\b(?:issue|bug|ticket)",
        icon="issue",
        name=Say(ko="이슈 분류 도우미", en="Issue triager"),
        question=Say(
            ko="급한 것을 가르는 기준이 무엇인가요? 예를 들어 결제가 안 되는 경우처럼요.",
            en="What makes one urgent, for example when payments fail?",
        ),
        does=Say(ko="들어온 것을 급한 순서로 나눠 줘요.", en="Sorts what comes in by urgency."),
        shape="entries",
        sample=Say(
            ko='[("#128", "결제 화면이 열리지 않아요", 3), ("#129", "버튼 색이 조금 달라요", 0), ("#130", "로그인이 가끔 느려요", 1)]',
            en='[("#128", "Checkout does not open", 3), ("#129", "Button colour is a bit off", 0), ("#130", "Sign-in is slow at times", 1)]',
        ),
    ),
    Topic(
        words=r"배포(?=[\s\S]{0,200}(?:오류|에러|장애|살피|감시|지켜))|오류율|에러율|\berror rates?\b|\bdeploy(?=[\s\S]{0,200}\b(?:watch|error))|\bwatch(?=[\s\S]{0,200}\bdeploy)",
        icon="rocket",
        name=Say(ko="배포 지킴이", en="Deploy watch"),
        question=Say(
            ko="배포한 뒤 얼마 동안, 어떤 수치를 살필까요? 평소와 얼마나 다르면 알려 드릴지도 적어 주세요.",
            en="Which figures should I watch after a deploy, and for how long? Tell me how far off is too far.",
        ),
        does=Say(ko="배포하기 전과 뒤의 수치를 비교해 이상하면 알려 줘요.", en="Compares the figures before and after a deploy and speaks up when they are off."),
        shape="figures",
        sample=Say(
            ko='[("오류율(%)", 0.4, 1.9), ("응답 시간(ms)", 182.0, 190.0), ("초당 요청", 310.0, 305.0)]',
            en='[("Error rate (%)", 0.4, 1.9), ("Response time (ms)", 182.0, 190.0), ("Requests a second", 310.0, 305.0)]',
        ),
    ),
    Topic(
        words=r"배포|릴리스|출시|\b(?:deploy|release|launch|changelog)",
        icon="rocket",
        name=Say(ko="배포 점검 도우미", en="Release checker"),
        question=Say(
            ko="내보내기 전에 꼭 확인할 것이 무엇인가요? 순서대로 적어 주세요.",
            en="What has to be checked before a release? List it in order.",
        ),
        does=Say(ko="내보내기 전에 확인할 것을 차례로 점검해 줘요.", en="Goes through what has to be checked before a release."),
        shape="entries",
        sample=Say(
            ko='[("테스트", "2개가 실패했어요", 3), ("문서", "변경 기록이 비어 있어요", 2), ("버전", "1.4.0으로 맞아요", 0)]',
            en='[("Tests", "2 are failing", 3), ("Docs", "The changelog is empty", 2), ("Version", "1.4.0, as expected", 0)]',
        ),
    ),
    Topic(
        words=r"패키지|의존성|라이브러리|\b(?:dependenc|outdated|packages?\b(?=[\s\S]{0,100}\b(?:update|version|upgrade)))",
        icon="box",
        name=Say(ko="의존성 점검", en="Dependency check"),
        question=Say(
            ko="어느 폴더의 패키지를 볼까요? 올리면 안 되는 패키지가 있으면 함께 알려 주세요.",
            en="Which folder should I check? Name packages that must stay at their version, if there are any.",
        ),
        does=Say(ko="오래된 패키지를 찾아 급한 순서로 알려 줘요.", en="Finds outdated packages, most urgent first."),
        shape="entries",
        sample=Say(
            ko='[("보안", "httpkit 2.1 -> 2.4: 취약점이 고쳐졌어요", 3), ("큰 변경", "webframe 4.9 -> 5.0", 1), ("최신", "textlib 1.2", 0)]',
            en='[("Security", "httpkit 2.1 -> 2.4 fixes a vulnerability", 3), ("Major", "webframe 4.9 -> 5.0", 1), ("Current", "textlib 1.2", 0)]',
        ),
    ),
    Topic(
        words=r"문의|고객|\b(?:support|customer)",
        icon="mail",
        name=Say(ko="문의 분류", en="Support triage"),
        question=Say(
            ko="문의를 어떤 종류로 나눌까요? 먼저 답해야 하는 것도 알려 주세요.",
            en="Which kinds should I sort them into? Tell me which ones need an answer first.",
        ),
        does=Say(ko="고객 문의를 종류별로 나누고 급한 것부터 보여 줘요.", en="Sorts what customers write by kind, most urgent first."),
        shape="entries",
        sample=Say(
            ko='[("결제", "카드 결제가 두 번 됐어요", 3), ("배송", "언제 도착하나요", 2), ("광고", "제휴를 제안합니다", 0)]',
            en='[("Payment", "I was charged twice", 3), ("Delivery", "When does it arrive?", 2), ("Advert", "A partnership for you", 0)]',
        ),
    ),
    Topic(
        words=r"재고|주문|물류|창고|택배|\b(?:stock level|inventory|orders|warehouse|shipping)",
        icon="box",
        name=Say(ko="재고 지킴이", en="Stock keeper"),
        question=Say(
            ko="어떤 물건이 얼마나 남았을 때 알려 드릴까요?",
            en="Which goods should I watch, and how few are too few?",
        ),
        does=Say(ko="재고를 어제와 비교해 모자란 것을 알려 줘요.", en="Compares stock with yesterday and names what runs low."),
        shape="figures",
        sample=Say(
            ko='[("머그컵", 120.0, 84.0), ("에코백", 60.0, 58.0), ("노트", 300.0, 12.0)]',
            en='[("Mugs", 120.0, 84.0), ("Tote bags", 60.0, 58.0), ("Notebooks", 300.0, 12.0)]',
        ),
    ),
    Topic(
        words=r"가격|최저가|특가|\b(?:prices?|pricing|bargain|discount)\b",
        icon="chart",
        name=Say(ko="가격 지킴이", en="Price watch"),
        question=Say(
            ko="어느 물건의 가격을 볼까요? 주소와, 얼마 아래로 내려가면 알려 드릴지 적어 주세요.",
            en="Which page or product should I watch, and below which price should I tell you?",
        ),
        does=Say(ko="정한 물건의 가격을 지난번과 비교해 달라지면 알려 줘요.", en="Compares prices with last time and reports what changed."),
        shape="figures",
        sample=Say(
            ko='[("노트북", 1490000.0, 1390000.0), ("모니터", 329000.0, 329000.0), ("키보드", 89000.0, 95000.0)]',
            en='[("Laptop", 1490.0, 1390.0), ("Monitor", 329.0, 329.0), ("Keyboard", 89.0, 95.0)]',
        ),
    ),
)  # fmt: skip
