package main

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"strings"
)

// Asks the function from docs/receivers.md about requests, one a line.
func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		fields := strings.Split(lines.Text(), "\t")
		headers := http.Header{}
		for n, name := range []string{"webhook-id", "webhook-timestamp", "webhook-signature"} {
			if value := fields[2+n]; value != "-" {
				headers.Set(name, value)
			}
		}
		body, err := base64.StdEncoding.DecodeString(fields[6])
		if err != nil {
			panic(err)
		}
		answer := 0
		if IsFromHsmwatch(headers, body, strings.Split(fields[1], " ")...) {
			answer = 1
		}
		fmt.Println(answer)
	}
}
