package bench

import (
	"errors"
	"strconv"
	"strings"
)

// Join is a request for systems whose messages are bytes: role, id, author and text, with NUL bytes between.
func Join(role, text string, post *Post) []byte {
	request := make([]byte, 0, len(role)+len(text)+len(post.Author)+24)
	request = append(append(request, role...), 0)
	request = append(strconv.AppendInt(request, post.ID, 10), 0)
	request = append(append(request, post.Author...), 0)
	return append(request, text...)
}

// Answer is what a plugin makes of a joined request: 'A' and HTML, or 'E' and an error.
func Answer(request []byte) []byte {
	parts := strings.SplitN(string(request), "\x00", 4)
	if len(parts) != 4 {
		return []byte("Emalformed request")
	}
	if parts[0] == "fail" {
		return []byte("Eno post " + parts[1])
	}
	return []byte("A<tt>" + parts[3] + "</tt>")
}

// Split is the host's side of Answer.
func Split(answer []byte) (string, error) {
	if len(answer) == 0 || answer[0] != 'A' {
		return "", errors.New(string(answer[min(1, len(answer)):]))
	}
	return string(answer[1:]), nil
}
