// The server on Go's net/http. It prints `PORT n` and serves until it is killed.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
	"unicode/utf8"
)

const lifetime = 120 * time.Second

type person struct {
	ID     int64  `json:"id"`
	Name   string `json:"name"`
	Email  string `json:"email"`
	Active bool   `json:"active"`
}

type account struct {
	Name  string `json:"name"`
	Age   int    `json:"age"`
	Email string `json:"email"`
	Login string `json:"login"`
}

var text = []byte("Hello, World!")
var someone = person{7, "Frodo Baggins", "frodo@shire.example", true}

func answer(writer http.ResponseWriter) {
	writer.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = writer.Write(text)
}

func answerJSON(writer http.ResponseWriter, status int, value any) {
	bytes, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	writer.Header().Set("Content-Type", "application/json")
	writer.WriteHeader(status)
	_, _ = writer.Write(bytes)
}

func allOf(bytes string, allowed func(byte) bool) bool {
	for i := 0; i < len(bytes); i++ {
		if !allowed(bytes[i]) {
			return false
		}
	}
	return len(bytes) > 0
}

func isLower(c byte) bool { return c >= 'a' && c <= 'z' }
func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isHost(c byte) bool {
	return isLower(c) || isDigit(c) || c >= 'A' && c <= 'Z' || c == '-' || c == '.'
}

func isLocal(c byte) bool { return isHost(c) || c == '_' || c == '%' || c == '+' }

func isEmail(address string) bool {
	local, host, found := strings.Cut(address, "@")
	return found && allOf(local, isLocal) && allOf(host, isHost) &&
		strings.IndexByte(host, '.') > 0 && host[len(host)-1] != '.'
}

func isLogin(name string) bool {
	return len(name) >= 3 && len(name) <= 32 && isLower(name[0]) &&
		allOf(name, func(c byte) bool { return isLower(c) || isDigit(c) || c == '_' })
}

// What is wrong with it, or "".
func (form *account) problem() string {
	if length := utf8.RuneCountInString(form.Name); length < 1 || length > 40 {
		return "name"
	}
	if form.Age < 0 || form.Age > 150 {
		return "age"
	}
	if !isEmail(form.Email) {
		return "email"
	}
	if !isLogin(form.Login) {
		return "login"
	}
	return ""
}

func addAccount(writer http.ResponseWriter, request *http.Request) {
	var form account
	body, err := io.ReadAll(request.Body)
	if err == nil {
		err = json.Unmarshal(body, &form)
	}
	if err != nil {
		answerJSON(writer, 400, map[string]string{"detail": err.Error()})
	} else if field := form.problem(); field != "" {
		answerJSON(writer, 422, map[string]string{"detail": field})
	} else {
		answerJSON(writer, 200, &form)
	}
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
	http.HandleFunc("/json", func(writer http.ResponseWriter, _ *http.Request) {
		answerJSON(writer, 200, &someone)
	})
	http.HandleFunc("/accounts", addAccount)
	http.HandleFunc("/notes", func(writer http.ResponseWriter, request *http.Request) {
		_, _ = io.ReadAll(request.Body)
		answer(writer)
	})
	fmt.Println("PORT", listener.Addr().(*net.TCPAddr).Port)
	panic(http.Serve(listener, nil))
}
