// Reads travel documents with JMRTD over PC/SC, one for each line of standard
// input "NUMBER,YYMMDD,YYMMDD", and prints one line for each:
// access|mapping|DG1 SHA-256|DG2 SHA-256|chip authentication|milliseconds|error
// Driven by jmrtd_test.go; the reader's name is the argument.

import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.math.BigInteger;
import java.security.MessageDigest;
import java.security.PublicKey;
import java.security.Security;
import java.util.HexFormat;
import java.util.logging.Level;
import java.util.logging.Logger;
import javax.smartcardio.Card;
import javax.smartcardio.CardTerminal;
import javax.smartcardio.TerminalFactory;
import net.sf.scuba.smartcards.CardService;
import net.sf.scuba.smartcards.CardServiceException;
import net.sf.scuba.smartcards.CommandAPDU;
import net.sf.scuba.smartcards.ResponseAPDU;
import org.jmrtd.BACKey;
import org.jmrtd.PassportService;
import org.jmrtd.lds.CardAccessFile;
import org.jmrtd.lds.ChipAuthenticationInfo;
import org.jmrtd.lds.ChipAuthenticationPublicKeyInfo;
import org.jmrtd.lds.PACEInfo;
import org.jmrtd.lds.SecurityInfo;
import org.jmrtd.lds.icao.DG14File;

public class Read {
  // Reader is a card in a terminal of javax.smartcardio.
  static class Reader extends CardService {
    final CardTerminal terminal;
    Card card;

    Reader(CardTerminal terminal) {
      this.terminal = terminal;
    }

    public void open() throws CardServiceException {
      Exception last = null;
      for (int i = 0; i < 5; i++) { // a card just laid down may not be told of yet
        try {
          terminal.waitForCardPresent(5000);
          card = terminal.connect("*");
          return;
        } catch (Exception e) {
          last = e;
        }
        try {
          Thread.sleep(20);
        } catch (InterruptedException e) {
          break;
        }
      }
      throw new CardServiceException("connect: " + last);
    }

    public boolean isOpen() {
      return card != null;
    }

    public ResponseAPDU transmit(CommandAPDU command) throws CardServiceException {
      try {
        byte[] answer = card.getBasicChannel().transmit(new javax.smartcardio.CommandAPDU(command.getBytes())).getBytes();
        return new ResponseAPDU(answer);
      } catch (Exception e) {
        throw new CardServiceException("transmit: " + e.getMessage());
      }
    }

    public byte[] getATR() {
      return card.getATR().getBytes();
    }

    public boolean isExtendedAPDULengthSupported() {
      return true;
    }

    public boolean isConnectionLost(Exception e) {
      return false;
    }

    public void close() {
      try {
        if (card != null) {
          card.disconnect(true);
        }
      } catch (Exception e) {
        // The card may be gone already.
      }
      card = null;
    }
  }

  static byte[] all(InputStream in) throws Exception {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    in.transferTo(out);
    return out.toByteArray();
  }

  static String digest(byte[] data) throws Exception {
    return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(data));
  }

  static String oneLine(Throwable e) {
    return (e.getClass().getSimpleName() + ": " + e.getMessage()).replace('\n', ' ').replace('|', '/');
  }

  static String read(CardTerminal terminal, String number, String birth, String expiry) {
    String access = "", mapping = "", dg1 = "", dg2 = "", chip = "", error = "";
    long start = System.nanoTime();
    Reader card = new Reader(terminal);
    try {
      PassportService passport = new PassportService(card, 65536, 256, PassportService.DEFAULT_MAX_BLOCKSIZE, false, false);
      passport.open();
      start = System.nanoTime();
      BACKey key = new BACKey(number, birth, expiry);
      boolean pace = false;
      try {
        CardAccessFile offers = new CardAccessFile(passport.getInputStream(PassportService.EF_CARD_ACCESS));
        for (SecurityInfo info : offers.getSecurityInfos()) {
          if (info instanceof PACEInfo && !pace) {
            PACEInfo p = (PACEInfo) info;
            mapping = PACEInfo.toMappingType(p.getObjectIdentifier()).toString();
            passport.doPACE(key, p.getObjectIdentifier(), PACEInfo.toParameterSpec(p.getParameterId()), p.getParameterId());
            pace = true;
            access = "pace";
          }
        }
      } catch (Exception e) {
        error = oneLine(e);
      }
      passport.sendSelectApplet(pace);
      if (!pace) {
        passport.doBAC(key);
        access = "bac";
      }
      dg1 = digest(all(passport.getInputStream(PassportService.EF_DG1)));
      try {
        DG14File dg14 = new DG14File(passport.getInputStream(PassportService.EF_DG14));
        String oid = null;
        for (SecurityInfo info : dg14.getSecurityInfos()) {
          if (info instanceof ChipAuthenticationInfo) {
            oid = info.getObjectIdentifier();
          }
        }
        for (SecurityInfo info : dg14.getSecurityInfos()) {
          if (info instanceof ChipAuthenticationPublicKeyInfo) {
            ChipAuthenticationPublicKeyInfo k = (ChipAuthenticationPublicKeyInfo) info;
            PublicKey publicKey = k.getSubjectPublicKey();
            BigInteger id = k.getKeyId();
            passport.doEACCA(id, oid, k.getObjectIdentifier(), publicKey);
            chip = "done";
          }
        }
      } catch (Exception e) {
        chip = oneLine(e);
      }
      dg2 = digest(all(passport.getInputStream(PassportService.EF_DG2)));
      if (chip.equals("done")) {
        chip = "proven"; // DG2 was answered under the new keys
      }
      all(passport.getInputStream(PassportService.EF_SOD));
    } catch (Throwable e) {
      error = (error + " " + oneLine(e)).trim();
    }
    long took = (System.nanoTime() - start) / 1_000_000;
    card.close();
    return String.join("|", access, mapping, dg1, dg2, chip, Long.toString(took), error);
  }

  public static void main(String[] args) throws Exception {
    Logger.getLogger("").setLevel(Level.OFF);
    Security.insertProviderAt(new org.bouncycastle.jce.provider.BouncyCastleProvider(), 1);
    CardTerminal terminal = TerminalFactory.getDefault().terminals().getTerminal(args[0]);
    if (terminal == null) {
      System.err.println("no reader " + args[0]);
      System.exit(1);
    }
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      String[] f = line.split(",");
      System.out.println(read(terminal, f[0], f[1], f[2]));
      System.out.flush();
    }
  }
}
