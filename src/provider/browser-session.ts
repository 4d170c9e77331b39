/** `storage.session`, as far as it is used: what it holds ends with the browser session. */
export interface SessionArea {
  get(key: string): Promise<Record<string, unknown>>;
  set(items: Record<string, unknown>): Promise<void>;
  remove(key: string): Promise<void>;
}

const KEY = "browserSession";

/** The name of the running browser session: the same for every life of the worker until the browser ends. */
export async function browserSession(area: SessionArea, newId: () => string): Promise<string> {
  const { [KEY]: stored } = await area.get(KEY);
  if (typeof stored === "string") return stored;
  const made = newId();
  await area.set({ [KEY]: made });
  return made;
}
