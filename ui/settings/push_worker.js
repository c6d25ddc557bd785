// Shows Web Push messages (core/services/notify/web_push.py), and opens what they are about.
addEventListener("push", (event) => {
  const { title, text, url, tag } = event.data.json();
  event.waitUntil(registration.showNotification(title, { body: text, tag, data: { url } }));
});
addEventListener("notificationclick", (event) => {
  event.notification.close();
  const url = new URL(event.notification.data.url, location.origin);
  if (url.origin !== location.origin) return;
  const open = clients.matchAll({ type: "window", includeUncontrolled: true });
  event.waitUntil(
    open.then((all) => {
      const one = all.find((client) => client.url === url.href);
      return one ? one.focus() : clients.openWindow(url.href);
    }),
  );
});
