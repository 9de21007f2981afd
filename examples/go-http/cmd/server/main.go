// Serves greetings.
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"

	"example.com/go-http/greeting"
)

func main() {
	http.HandleFunc("GET /{name}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, greeting.For(r.PathValue("name")))
	})
	http.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, greeting.For("everybody"))
	})
	address := ":" + os.Getenv("PORT")
	log.Printf("listening at %s", address)
	log.Fatal(http.ListenAndServe(address, nil))
}
