// Package whitelist makes a Migration for each entry of every MigrationWhitelist, keeps whose turn it is, and sums up how far each list is.
//
// Decides nothing about an application: migration/plan divides lists into batches (plan.Turns) and moves applications. Reads whitelists and
// Migrations, from a cache alone; creates Migrations and their namespaces, and writes the whitelists' status. Order is kept from the events
// of a cache, so that ten thousand applications cost nothing to whoever asks for the turn of one.
package whitelist
