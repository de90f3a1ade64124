package sendmail

import (
	"fmt"
	"strings"
)

// call is what the command line asks for.
type call struct {
	recipients []string
	sender     string
	name       string // the sender's name, for a message without From
	fromHeader bool   // recipients are in the message, too
	dots       bool   // a line with a single dot ends the message
	protocol   bool   // standard input and output speak SMTP
	nothing    bool   // a question about the queue, which is not here
}

// valued are the options with a value, which may stand in the next argument.
const valued = "fFrNRVBCLOohXpq"

// parse reads the options of sendmail, Postfix and their imitators. What only
// tunes a mail server is taken and has no effect.
func parse(args []string) (call, error) {
	c := call{dots: true}
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		switch {
		case arg == "--":
			c.recipients = append(c.recipients, args...)
			return c, nil
		case len(arg) < 2 || arg[0] != '-':
			c.recipients = append(c.recipients, listed(arg)...)
			continue
		}
		value := arg[2:]
		// -q, -o and -p have their value attached or none.
		if value == "" && strings.IndexByte(valued, arg[1]) >= 0 && strings.IndexByte("qop", arg[1]) < 0 {
			if len(args) == 0 {
				return c, fmt.Errorf("%w: %s without a value", errUsage, arg)
			}
			value, args = args[0], args[1:]
		}
		if err := c.option(arg, value); err != nil {
			return c, err
		}
	}
	return c, nil
}

func (c *call) option(arg, value string) error {
	switch arg[1] {
	case 't':
		c.fromHeader = true
		return c.bundled(arg)
	case 'i':
		c.dots = false
		return c.bundled(arg)
	case 'f', 'r':
		c.sender = value
	case 'F':
		c.name = value
	case 'o':
		if value == "i" {
			c.dots = false
		}
	case 'b':
		return c.mode(arg)
	case 'q':
		c.nothing = true
	case 'N', 'R', 'V', 'B', 'C', 'L', 'O', 'h', 'X', 'p', 'v', 'm', 'n', 'U', 'G', 'x', 'd', 'e':
	default:
		return fmt.Errorf("%w: %s", errUsage, arg)
	}
	return nil
}

// bundled reads "-ti" and "-it".
func (c *call) bundled(arg string) error {
	if len(arg) == 2 {
		return nil
	}
	return c.option("-"+arg[2:], "")
}

func (c *call) mode(arg string) error {
	switch arg {
	case "-bm":
	case "-bs":
		c.protocol = true
	case "-bp":
		c.nothing = true
	default:
		return fmt.Errorf("%w: %s", errUsage, arg)
	}
	return nil
}
