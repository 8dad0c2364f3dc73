//! The tools gabier ships, one file each, in folders by toolset.
