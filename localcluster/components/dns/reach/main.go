// Shows whether one pod reaches another.
//
//	reach serve PORT    answers "reached" to whoever connects
//	reach ADDRESS       connects once: prints "reached" and exits 0, or prints why not and exits 1
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

const within = 3 * time.Second

func main() {
	arguments := os.Args[1:]
	switch {
	case len(arguments) == 2 && arguments[0] == "serve":
		serve(arguments[1])
	case len(arguments) == 1:
		connect(arguments[0])
	default:
		end(2, "usage: reach serve PORT | reach ADDRESS")
	}
}

func serve(port string) {
	listener, err := net.Listen("tcp", ":"+port)
	if err != nil {
		end(2, err)
	}
	for {
		connection, err := listener.Accept()
		if err != nil {
			end(2, err)
		}
		go func() {
			defer connection.Close()
			fmt.Fprintln(connection, "reached")
		}()
	}
}

func connect(address string) {
	connection, err := net.DialTimeout("tcp", address, within)
	if err != nil {
		end(1, err)
	}
	defer connection.Close()
	connection.SetDeadline(time.Now().Add(within))
	told, err := io.ReadAll(connection)
	if err != nil {
		end(1, err)
	}
	fmt.Print(string(told))
}

func end(code int, why any) {
	fmt.Fprintln(os.Stderr, why)
	os.Exit(code)
}
