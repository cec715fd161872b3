export { type Watch, watchAlways, watchWhenServed } from '../kube/index.ts';
