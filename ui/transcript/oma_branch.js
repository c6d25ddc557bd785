// The ways back in a conversation: branch after a turn, edit a message of one's own and say it in a branch.
import { button } from "oma_items";

// By the first letter of an item's key: where the number of the event stands, the event to emit, icon and label.
export const WAYS = {
  e: { at: "[data-branch]", number: "branch", event: "branch", icon: "branch", label: "branch" },
  u: { at: "[data-message]", number: "seq", event: "edit", icon: "edit", label: "edit_said" },
};

export function wayBack(item, kind, words, tell) {
  const way = WAYS[kind];
  const place = item.querySelector(way.at);
  if (!place || item.querySelector("[data-testid=queue-item]")) return; // what waits has buttons of its own
  const made = button(words[way.label], "btn ghost sm way-back", way.icon, () => {
    made.disabled = true;
    tell(way.event, Number(place.dataset[way.number]));
    setTimeout(() => (made.disabled = false), 5000); // it may have failed
  });
  made.dataset.testid = way.event === "edit" ? "edit-message" : way.event;
  place.append(made);
}
