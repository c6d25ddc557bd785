# What each rule of semgrep.yml finds (ruleid) and leaves alone (ok). Run by `make security`; nothing imports this file.


def request_urls(request, self):
    # ruleid: request-url
    path = request.url.path
    # ruleid: request-url
    host = self.request.url
    # ok: request-url
    log.error("page %s failed", request.url.path)
    # ok: request-url
    return request.scope["path"], path, host


def html(text, picture, x):
    # ruleid: raw-html
    ui.markdown(text)
    # ruleid: raw-html
    ui.html(picture, sanitize=False)
    # ruleid: raw-html
    ui.add_head_html(f"<style>{text}</style>")
    # ruleid: raw-html
    x.set_content(text)
    # ok: raw-html
    ui.html("<hr>")


def javascript(text, self):
    # ruleid: built-javascript
    ui.run_javascript(f"go('{text}')")
    # ruleid: built-javascript
    ui.run_javascript("go('%s')" % text)
    # ruleid: built-javascript
    self.client.outbox.enqueue_message("run_javascript", {"code": text}, "x")
    # ok: built-javascript
    ui.run_javascript("go()")


def nicegui():
    # ruleid: upload-of-nicegui
    ui.upload(max_file_size=1000)
    # ruleid: storage-of-nicegui
    app.storage.user["x"] = 1
    # ruleid: storage-of-nicegui
    ui.run_with(app, storage_secret="x")
    # ok: storage-of-nicegui
    ui.run_with(app, title="x")


def redirects(request, target: str, later: str = "/"):
    # ruleid: open-redirect
    RedirectResponse(target, 303)
    # ruleid: open-redirect
    ui.navigate.to(later)
    # ruleid: open-redirect
    RedirectResponse(request.query_params["next"])
    # ok: open-redirect
    RedirectResponse(safe_next(target))
    # ok: open-redirect
    return RedirectResponse("/login")


def files(path: str, archive):
    # ruleid: file-of-a-parameter
    FileResponse(path)
    # ruleid: file-of-a-parameter
    app.add_static_files("/x", path)
    # ruleid: archive-unpacked
    archive.extractall("/x")


def programs(text):
    # ruleid: shell
    subprocess.run(text, shell=True)
    # ruleid: shell
    os.system(text)
    # ok: shell
    subprocess.run([text])


def network(context):
    # ruleid: tls-not-verified
    httpx.get("https://x", verify=False)
    # ruleid: tls-not-verified
    context.check_hostname = False
    # ok: tls-not-verified
    httpx.get("https://x")


def loading(data):
    # ruleid: code-from-data
    pickle.loads(data)
    # ruleid: code-from-data
    yaml.load(data)
    # ruleid: code-from-data
    eval(data)
    # ok: code-from-data
    json.loads(data)


def checking(origin, given, token):
    # ruleid: half-a-match
    re.match(r"https://x", origin)
    # ok: half-a-match
    re.fullmatch(r"https://x", origin)
    # ruleid: secret-compared
    if token == given:
        pass
    # ok: secret-compared
    if token == "":
        pass
    # ok: secret-compared
    return compare_digest(token, given)


def choosing():
    # ruleid: predictable
    random.choice("abc")
    # ok: predictable
    secrets.token_urlsafe(8)


def sharing(app, sio):
    # ruleid: cors
    app.add_middleware(CORSMiddleware, allow_origins=["*"])
    # ruleid: cors
    sio.eio.cors_allowed_origins = "*"


def logs(request, log, logging):
    # ruleid: headers-in-the-log
    log.info("got %s", request.headers)
    # ruleid: headers-in-the-log
    logging.warning("%s %s", 1, request.cookies)
    # ok: headers-in-the-log
    log.info("got %s", request.method)
    # ruleid: another-way-to-log
    log.addHandler(x)
    # ruleid: another-way-to-log
    logging.basicConfig(level=1)
