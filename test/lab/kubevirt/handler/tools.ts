import type { GuestImage } from '../../guest/image.ts';
import type { LabNode } from '../../state.ts';
import type { BindingPlugin } from '../objects.ts';
import type { Monitors } from './monitors.ts';
import type { HandlerPods } from './pod.ts';
import type { Records } from './record.ts';

/** What the actions of one node work with. */
export type NodeTools = {
  labDir: string;
  node: LabNode;
  image: GuestImage;
  records: Records;
  monitors: Monitors;
  plugins: () => Readonly<Record<string, BindingPlugin>>;
  /** The node's virt-handler pod, which all migration traffic goes through. */
  traffic: HandlerPods;
};
