package control

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

const (
	// version is the schema_version of requests and answers.
	version = 1

	// maxRequest is the size of the largest request in bytes: thousands of
	// account names.
	maxRequest = 64 << 10

	// maxAnswer is the size of the largest answer in bytes that a client
	// reads. A thousand accounts' status is about one megabyte.
	maxAnswer = 32 << 20
)

// request is what a client asks. Which command it is says the path.
type request struct {
	SchemaVersion int      `json:"schema_version"`
	Accounts      []string `json:"accounts,omitempty"`
	Wait          bool     `json:"wait,omitempty"`
}

// answer is what the server says to a request.
type answer struct {
	SchemaVersion int             `json:"schema_version"`
	Reports       []Report        `json:"reports,omitempty"`
	Status        json.RawMessage `json:"status,omitempty"`
	Error         *failure        `json:"error,omitempty"`
}

// parseRequest reads the body of a request. Unknown keys are refused: who asks
// for something that this daemon does not know must not be told that it was
// done.
func parseRequest(body []byte) (request, *failure) {
	var v struct {
		SchemaVersion int `json:"schema_version"`
	}
	if err := json.Unmarshal(body, &v); err != nil {
		return request{}, badRequest("the request is not a JSON object: %v", err)
	}
	if v.SchemaVersion != version {
		return request{}, &failure{
			Code:    codeVersion,
			Message: fmt.Sprintf("the request has schema_version %d, and the daemon speaks %d", v.SchemaVersion, version),
			Hint:    "use the program that the daemon was started from, or restart the daemon",
		}
	}
	var r request
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return request{}, badRequest("the request: %v", err)
	}
	return r, nil
}

func badRequest(format string, args ...any) *failure {
	return &failure{Code: codeRequest, Message: fmt.Sprintf(format, args...)}
}

// parseAnswer reads an answer for the client.
func parseAnswer(r io.Reader) (answer, error) {
	body, err := io.ReadAll(io.LimitReader(r, maxAnswer+1))
	if err != nil {
		return answer{}, err
	}
	if len(body) > maxAnswer {
		return answer{}, fmt.Errorf("the answer is larger than %d MiB", maxAnswer>>20)
	}
	var a answer
	if err := json.Unmarshal(body, &a); err != nil {
		return answer{}, errors.New("the answer is not one of mailpull's daemon")
	}
	if a.SchemaVersion != version {
		return answer{}, fmt.Errorf("the daemon answers with schema_version %d, and this program speaks %d", a.SchemaVersion, version)
	}
	return a, nil
}
