export { type Match, matchNetworks, type Present } from '../../../plan/match-networks.ts';
