package remotetest

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os/exec"

	"golang.org/x/crypto/ssh"
)

var errUnknownKey = errors.New("unknown key")

func (g *Guest) serve(listener net.Listener, env []string) {
	config := &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if !bytes.Equal(key.Marshal(), g.options.Authorized.Marshal()) {
			return nil, errUnknownKey
		}
		return nil, nil
	}}
	config.AddHostKey(g.host)
	for {
		wire, err := listener.Accept()
		if err != nil {
			return
		}
		g.keep(wire, true)
		go func() {
			defer g.keep(wire, false)
			defer wire.Close()
			_, channels, requests, err := ssh.NewServerConn(wire, config)
			if err != nil {
				return
			}
			go ssh.DiscardRequests(requests)
			for channel := range channels {
				go g.session(channel, env)
			}
		}()
	}
}

func (g *Guest) keep(wire net.Conn, open bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if open {
		g.open[wire] = true
		g.accepted++
	} else {
		delete(g.open, wire)
	}
}

// session runs one command.
func (g *Guest) session(asked ssh.NewChannel, env []string) {
	if asked.ChannelType() != "session" {
		_ = asked.Reject(ssh.UnknownChannelType, "sessions only")
		return
	}
	channel, requests, err := asked.Accept()
	if err != nil {
		return
	}
	defer channel.Close()
	for request := range requests {
		var command struct{ Line string }
		if request.Type != "exec" || ssh.Unmarshal(request.Payload, &command) != nil {
			_ = request.Reply(request.Type == "env", nil)
			continue
		}
		_ = request.Reply(true, nil)
		shell := exec.Command("/bin/sh", "-c", command.Line)
		shell.Env, shell.Stdin, shell.Stdout, shell.Stderr = env, nil, channel, channel.Stderr()
		status := struct{ Code uint32 }{Code: 255}
		if input, err := shell.StdinPipe(); err == nil {
			go func() {
				_, _ = io.Copy(input, channel)
				_ = input.Close()
			}()
			_ = g.options.Run(shell) // its state says how it ended
			if state := shell.ProcessState; state != nil {
				status.Code = uint32(max(state.ExitCode(), 0))
				if state.ExitCode() < 0 {
					status.Code = 137
				}
			}
		}
		_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(status))
		return
	}
}
