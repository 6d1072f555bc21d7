/** A component that is drawn again only when its props differ; preact/compat is not needed for that. */

import { Component, type FunctionComponent, h } from "preact";

export function memo<P extends object>(view: FunctionComponent<P>, same: (before: P, after: P) => boolean): FunctionComponent<P> {
  class Memo extends Component<P> {
    override shouldComponentUpdate(next: Readonly<P>): boolean {
      return !same(this.props as P, next);
    }
    override render() {
      return h(view, this.props as P);
    }
  }
  return Memo as unknown as FunctionComponent<P>;
}
