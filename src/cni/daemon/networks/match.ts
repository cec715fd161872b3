export { type Match, matchNetworks, type Present } from '../../../plan/requests/match-networks.ts';
