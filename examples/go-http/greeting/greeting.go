// Package greeting finds words.
package greeting

// For greets somebody.
func For(name string) string {
	return "Hello from Go, " + name
}
