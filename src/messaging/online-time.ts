/** How long there was somebody to talk to: the time that the windows of the send service are made of. */
export class OnlineTime {
  #total = 0;
  #since: number | undefined;

  /** Notes whether a usable peer is there from `now` on. */
  update(online: boolean, now: number): void {
    this.#total = this.total(now);
    this.#since = online ? now : undefined;
  }

  /** Milliseconds online since this object was made. */
  total(now: number): number {
    return this.#since === undefined ? this.#total : this.#total + Math.max(0, now - this.#since);
  }
}
