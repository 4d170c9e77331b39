/** Whether keys and content can be had. The vault is one. */
export interface LockView {
  readonly locked: boolean;
  /** Called after every change. Returns what ends it. */
  listen(listener: () => void): () => void;
}
