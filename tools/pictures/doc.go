// Command pictures draws the pictures of docs/ from their texts with D2, once for light pages and once for dark ones.
package main
