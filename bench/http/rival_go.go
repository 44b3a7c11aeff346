// The server on Go's net/http. It prints `PORT n` and serves until it is killed.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

const lifetime = 120 * time.Second

var text = []byte("Hello, World!")

func answer(writer http.ResponseWriter) {
	writer.Header().Set("Content-Type", "text/plain")
	_, _ = writer.Write(text)
}

func main() {
	time.AfterFunc(lifetime, func() { os.Exit(1) }) // nobody is left to kill it
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	http.HandleFunc("/plaintext", func(writer http.ResponseWriter, _ *http.Request) {
		answer(writer)
	})
	http.HandleFunc("/body", func(writer http.ResponseWriter, request *http.Request) {
		_, _ = io.ReadAll(request.Body)
		answer(writer)
	})
	fmt.Println("PORT", listener.Addr().(*net.TCPAddr).Port)
	panic(http.Serve(listener, nil))
}
